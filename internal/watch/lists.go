package watch

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
)

// lists are the oldest entries of both queues, side by side: n lines below their
// heading.
func (m *Model) lists(l *endpoint.ListenerStatus, n int) []string {
	width := (m.width - 4) / 2
	left := grid(&l.Incomplete, "incomplete", width, n)
	right := grid(&l.Completed, "completed", width, n)
	lines := make([]string, n+1)
	for i := range lines {
		lines[i] = " " + pad(left[i], width) + "  " + right[i]
	}
	return lines
}

// grid is a heading and n lines for a queue, its entries from top to bottom in as
// many columns as fit: client, age, and how often the SYN-ACK was sent again. An
// address that is the same for all clients is in the heading.
func grid(q *endpoint.QueueStatus, name string, width, n int) []string {
	head, host := name, commonHost(q.Entries)
	if host != "" {
		head = fmt.Sprintf("%s from %s", name, host)
	}
	if len(q.Entries) > 0 {
		head += ": age"
		if name == "incomplete" {
			head += ", resent"
		}
	}
	lines := make([]string, n+1)
	lines[0] = faint.Render(ansi.Truncate(head, width, "…"))
	if n == 0 || len(q.Entries) == 0 {
		return lines
	}
	clients := make([]string, len(q.Entries))
	for i := range q.Entries {
		clients[i] = clientText(&q.Entries[i], host)
	}
	who := maxWidth(clients)
	texts := make([]string, len(q.Entries))
	for i := range q.Entries {
		texts[i] = entryText(&q.Entries[i], pad(clients[i], who))
	}
	const gap = 2
	each := min(maxWidth(texts), width)
	columns := (width + gap) / (each + gap)
	if room := n * columns; q.Length > room {
		shown := min(room-1, len(texts))
		texts = append(texts[:shown], faint.Render(ansi.Truncate(fmt.Sprintf("%d more", q.Length-shown), each, "")))
	}
	for i, text := range texts {
		line := &lines[1+i%n]
		*line = pad(*line, i/n*(each+gap)) + ansi.TruncateLeft(text, max(lipgloss.Width(text)-each, 0), "")
	}
	return lines
}

// commonHost is the address of all entries' clients, "" if they differ.
func commonHost(entries []endpoint.EntryStatus) string {
	if len(entries) == 0 {
		return ""
	}
	for i := range entries {
		if entries[i].Client.Addr() != entries[0].Client.Addr() {
			return ""
		}
	}
	return entries[0].Client.Addr().String()
}

// clientText is the client of an entry; where all have the same host, its port.
func clientText(e *endpoint.EntryStatus, host string) string {
	if host != "" {
		return fmt.Sprintf(":%d", e.Client.Port())
	}
	return e.Client.String()
}

// entryText is an entry with what there is to say about it.
func entryText(e *endpoint.EntryStatus, client string) string {
	text := fmt.Sprintf("%s %5s", client, ageText(e.AgeUS))
	if e.State == parked {
		return text + " parked"
	}
	if e.Retransmits > 0 {
		text += fmt.Sprintf(" ×%d", e.Retransmits)
	}
	return text
}

// parked is the state of an established connection that is still counted as
// incomplete.
const parked = "ESTABLISHED, parked"

// ageText is an age in seconds, and in minutes when it is long.
func ageText(us int64) string {
	age := time.Duration(us) * time.Microsecond
	if age < time.Minute {
		return fmt.Sprintf("%.1fs", age.Seconds())
	}
	return age.Truncate(time.Second).String()
}

// eventLines is a heading and the last events, the newest one last: n lines.
func (m *Model) eventLines(n int) []string {
	head := "events"
	if m.lost > 0 {
		head += fmt.Sprintf(", the newest ones: %d came too fast to be shown", m.lost)
	}
	if len(m.events) == 0 {
		head = "no events yet"
		if m.still {
			head = "no events in this time"
		}
	}
	lines := []string{" " + faint.Render(head)}
	shown := m.events[max(0, len(m.events)-max(n, 0)):]
	clients := make([]string, len(shown))
	for i := range shown {
		clients[i] = m.whoText(&shown[i])
	}
	who := maxWidth(clients)
	for i := range shown {
		lines = append(lines, " "+eventLine(&shown[i], pad(clients[i], who), m.width-1))
	}
	return lines
}

// whoText is the client of an event, with the port where there are several.
func (m *Model) whoText(r *events.Record) string {
	if len(m.status.Listeners) > 1 {
		return fmt.Sprintf("%v > :%d", r.Client, r.Server.Port())
	}
	return r.Client.String()
}

// eventLine is an event in a line: without what the screen says anyway, and
// without the queues' lengths if they do not fit.
func eventLine(r *events.Record, who string, width int) string {
	reason := strings.TrimSuffix(r.Reason, fmt.Sprintf(", %s, backlog %d", r.Profile, r.Backlog))
	line := fmt.Sprintf("%s  %s  ", r.Time.Local().Format("15:04:05.000"), who)
	if lipgloss.Width(line)+len(r.Event)+2+len(reason) > width {
		lengths := fmt.Sprintf(" (incomplete %d, completed %d)", r.Incomplete, r.Completed)
		reason = strings.Replace(reason, lengths, "", 1)
	}
	style, ok := kindStyles[r.Kind]
	if !ok {
		style = lipgloss.NewStyle()
	}
	return line + style.Render(r.Event) + ": " + reason
}
