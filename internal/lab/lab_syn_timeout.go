package lab

import (
	"fmt"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

var synTimeoutLab = &Lab{
	Name:  "syn-timeout",
	Title: "Half-open entries that nobody completes: BSD's 75 s with its RST, Linux's retries with its silence",
	About: `An entry in the incomplete queue stays until the third segment comes or until it times out. Meanwhile the server sends its SYN-ACK again. In Berkeley-derived systems that happens after about 6 and 30 s, and the entry goes after 75 s, the time of the keep-alive timer for connections that are being established; the client is told with a RST. Linux sends its SYN-ACK again after 1, 3, 7, 15 and 31 s (tcp_synack_retries = 5) and removes the entry after 63 s without a word.

Until then the entry takes a place. A client that vanished, or a flood of SYNs whose senders never existed, holds the queue for more than a minute.`,
	timers: true,
	run:    synTimeout,
}

func synTimeout(s *Scene) {
	for _, row := range []struct {
		profile string
		resent  []time.Duration
		gone    time.Duration
		reset   bool
	}{
		{"bsd", seconds(6, 30), 75 * time.Second, true},
		{"linux", seconds(1, 3, 7, 15, 31), 63 * time.Second, false},
	} {
		profile, err := profiles.Lookup(row.profile)
		s.must("finding a profile", err)
		s.Step("A SYN arrives at %s, from a client that will never answer.", row.profile)
		server := s.Up(fmt.Sprintf(" --profile %s --backlog 8", row.profile), func(c *endpoint.Config) { c.Profile = profile })
		_, err = server.ns.Flood(s.ctx, netns.Flood{To: server.addr, Count: 1})
		s.must("sending a SYN", err)
		s.Say("Its entry takes a place for %v%s.", s.scaled(row.gone), s.faster())
		server.WaitWithin(s.scaled(row.gone)+patience, handshake.Expired, 1)
		happened := server.Events(nil)
		s.Show(eventLines(happened)...)
		again := server.Events(func(e *listener.Event) bool { return e.Kind == handshake.Retransmitted })
		if s.Claim(len(again) == len(row.resent), "the SYN-ACK was sent again %d times", len(row.resent)) {
			for i, due := range row.resent {
				at := again[i].Time.Sub(happened[0].Time)
				s.Claim(at >= s.scaled(due), "number %d after %v, due at %v%s", i+1, at.Round(time.Millisecond), s.scaled(due), s.faster())
			}
		}
		expired := happened[len(happened)-1]
		at := expired.Time.Sub(happened[0].Time)
		s.Claim(expired.Kind == handshake.Expired && at >= s.scaled(row.gone), "the entry goes after %v, due at %v%s", at.Round(time.Millisecond), s.scaled(row.gone), s.faster())
		if row.reset {
			s.waitFor("the RST", patience, func() bool { return server.resets() > 0 })
			s.Claim(server.resets() == 1, "the client is told with one RST")
		} else {
			s.Claim(server.resets() == 0, "nothing is sent: the client is not told")
		}
	}
}

func seconds(n ...int) []time.Duration {
	list := make([]time.Duration, len(n))
	for i := range n {
		list[i] = time.Duration(n[i]) * time.Second
	}
	return list
}

// resets is how many RSTs the endpoint has sent.
func (v *Server) resets() int {
	n := 0
	for _, p := range v.Packets(0) {
		var s segment.Segment
		if !p.Inbound && segment.Parse(p.Data, &s) == nil && s.Flags.Has(segment.RST) {
			n++
		}
	}
	return n
}
