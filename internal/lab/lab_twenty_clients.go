package lab

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

var twentyClientsLab = &Lab{
	Name:  "backlog-2-twenty-clients",
	Title: "listen with backlog 2, twenty clients: who is ESTABLISHED and who in SYN-SENT, system by system",
	About: `The same program, listen(fd, 2), on several systems, with twenty clients and no accept: how many are connected? The backlog has meant different things. Once it was the most that both queues together hold; Berkeley multiplies it by one and a half; Linux lets one more than it into the completed queue; FreeBSD answers every SYN and decides only when the handshake is done.

Those who are not let in are not refused. They stay in SYN-SENT and send their SYN again: when accept makes room, they get in, a second or three late.`,
	run: twentyClients,
}

// twentyWant is how many of twenty clients get through with backlog 2.
var twentyWant = []struct {
	profile string
	want    int
	why     string
}{
	{"sum", 2, "both queues together hold the backlog"},
	{"bsd", 4, "3*2/2+1"},
	{"freebsd-4", 3, "backlog+1"},
	{"linux", 3, "backlog+1"},
	{"solaris-9", 4, "as measured"},
	{"macos", 2, "the backlog, and no half-open entry is left to evict"},
	{"lwip", 2, "the backlog"},
}

// twentyPatience is for how long the clients are watched once accept is called:
// their SYNs come 1, 3 and 7 s after the first one.
const twentyPatience = 8 * time.Second

// twenty is what one system makes of the clients.
type twenty struct {
	*Server
	profile string
	clients []*Client
	early   int // how many were connected before accept was called
}

func twentyClients(s *Scene) {
	var all []*twenty
	for _, row := range twentyWant {
		s.Step("Twenty clients connect to %s, one after another.", row.profile)
		profile, err := profiles.Lookup(row.profile)
		s.must("finding a profile", err)
		server := s.Up(fmt.Sprintf(" --profile %s --backlog 2 --accept off", row.profile), func(c *endpoint.Config) {
			c.Profile, c.Backlog.Backlog, c.Accept = profile, 2, app.Off
		})
		clients := server.ConnectInTurn(20)
		count := states(clients)
		s.Show(fmt.Sprintf("%d ESTABLISHED, %d SYN-SENT", count[netns.Established], count[netns.SYNSent]))
		s.Claim(count[netns.Established] == row.want, "%d get in: %s", row.want, row.why)
		s.Claim(count[netns.SYNSent] == 20-row.want, "the others are in SYN-SENT: nobody was refused")
		all = append(all, &twenty{server, row.profile, clients, row.want})
	}
	s.Step("On all of them, the application calls accept from now on. Each client that waits gets in with its next SYN that finds room. They wait in step, so their SYNs come together, and a queue for two is full again at once.")
	for _, t := range all {
		t.Set("accept", "auto")
	}
	s.watch(twentyPatience, func() bool {
		return !slices.ContainsFunc(all, func(t *twenty) bool { return states(t.clients)[netns.SYNSent] > 0 })
	})
	for _, t := range all {
		t.settle() // so that all events are there
		t.tell()
	}
}

// tell says which of the clients got in when.
func (t *twenty) tell() {
	resent := make(map[int][]*Client) // those that are connected, by how often their SYN was sent again
	waiting := 0
	for _, c := range t.clients {
		switch c.State() {
		case netns.SYNSent:
			waiting++
		case netns.Closed:
		default:
			n := c.Retransmitted()
			resent[n] = append(resent[n], c)
		}
	}
	lines := []string{t.profile + ":"}
	in := 0
	for _, n := range slices.Sorted(maps.Keys(resent)) {
		in += len(resent[n])
		if n > 0 {
			lines = append(lines, "  "+t.latecomers(resent[n], n))
		}
	}
	lines = append(lines, fmt.Sprintf("  %d ESTABLISHED, %d SYN-SENT, %d reset", in, waiting, len(t.clients)-in-waiting))
	t.s.Show(lines...)
	t.s.Claim(in > t.early, "%s: clients that waited get in late, by their SYN sent again", t.profile)
	refused, evicted := t.Count(handshake.ACKReset), t.Count(handshake.Evicted)
	switch out := len(t.clients) - in - waiting; {
	case refused > 0:
		t.s.Claim(out <= refused, "%s resets clients whose handshake is done when the completed queue is full: it looks at the final ACK, not at the SYN alone", t.profile)
	case evicted > 0:
		t.s.Claim(out <= evicted, "%s resets clients whose entry was evicted for a newer SYN before their final ACK came", t.profile)
	default:
		t.s.Claim(out == 0, "%s: nobody was refused, those who are not in yet are in SYN-SENT", t.profile)
	}
}

// latecomers names clients that got in with their nth SYN after the first one,
// and says how much later that was.
func (t *twenty) latecomers(group []*Client, n int) string {
	var numbers []string
	least, most := time.Duration(math.MaxInt64), time.Duration(0)
	for _, c := range group {
		numbers = append(numbers, strconv.Itoa(c.Number))
		late := t.lateness(c)
		least, most = min(least, late), max(most, late)
	}
	what, times := "client", "once"
	if len(group) > 1 {
		what = "clients"
	}
	if n > 1 {
		times = fmt.Sprint(n, " times")
	}
	const tenth = 100 * time.Millisecond
	after := least.Round(tenth).String()
	if most.Round(tenth) > least.Round(tenth) {
		after += " to " + most.Round(tenth).String()
	}
	return fmt.Sprintf("%d %s after %s, SYN sent again %s: %s", len(group), what, after, times, strings.Join(numbers, " "))
}

// lateness is the time from a client's first SYN to the one that was answered.
func (t *twenty) lateness(c *Client) time.Duration {
	its := t.Events(func(e *listener.Event) bool {
		return e.Tuple.ClientPort == c.Port &&
			(e.Kind == handshake.SYNDropped || e.Kind == handshake.SYNAdmitted || e.Kind == handshake.CookieSent)
	})
	return its[len(its)-1].Time.Sub(its[0].Time)
}
