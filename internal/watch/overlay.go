package watch

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"tcplab/internal/endpoint"
	"tcplab/listener/backlog/profiles"
)

// helpText explains the keys and the picture.
var helpText = []string{
	"",
	" + -     backlog one more, one less     0-9 b  type a backlog, Enter sets it",
	" space   pause accept, let it go on     a      accept one connection",
	" p       choose a profile               tab    next port, if there are several",
	" ?       this help                      q      quit; the instance goes on",
	"",
	" ░░  a slot with a half-open connection: SYN-RECEIVED, incomplete queue",
	" ░2  the same; its SYN-ACK was sent again twice",
	" ██  a slot with a connection that waits for accept: completed queue",
	" SYN ✗   SYNs or final ACKs were dropped within the last second",
	"",
	" age, resent: time in this queue, and retransmissions of the SYN-ACK",
	" SYN/s: those too that clients send again",
	" sparklines: a second a column, the highest one is the top",
	"",
	" Any key closes this.",
}

// narrowHelp is helpText for narrow or low screens.
var narrowHelp = []string{
	" + - backlog; 0-9 or b: type one",
	" space pause or resume accept; a accept 1",
	" p profile; tab next port; q quit",
	" ░░ half-open, ░2 SYN-ACK resent twice",
	" ██ waits for accept; ✗ drops",
	" Any key closes this.",
}

func (m *Model) help() []string {
	if m.width < maxWidth(helpText) || m.height < len(helpText)+5 {
		return narrowHelp
	}
	return helpText
}

// menu is the profiles to choose from, with the rule of the chosen one.
func (m *Model) menu(l *endpoint.ListenerStatus) []string {
	all := profiles.All()
	lines := []string{" " + strong.Render("profile") + faint.Render("   up, down, Enter; Esc leaves it as it is")}
	rule := strings.Split(ansi.Wordwrap(all[m.choice].Rule, m.width-2, ""), "\n")
	room := max(m.height-3-2-len(lines)-len(rule), 1)
	first := max(0, min(m.choice-room/2, len(all)-room))
	for i, p := range all[first:min(first+room, len(all))] {
		mark := " "
		if p.Name == l.Profile {
			mark = "*"
		}
		line := fmt.Sprintf("%s %-10s %s ", mark, p.Name, p.Systems)
		if first+i == m.choice {
			line = inverse.Render(line)
		}
		lines = append(lines, " "+line)
	}
	if room > len(all) {
		lines = append(lines, "")
	}
	for _, line := range rule {
		lines = append(lines, " "+line)
	}
	return lines
}
