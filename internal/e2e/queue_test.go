package e2e

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// Thirty clients at a backlog of 8 that nobody accepts from: as many connect as
// the profile says, the others hear nothing at all, and come in by their own
// retransmissions as accept makes room.
func TestThirtyClientsAtBacklogEight(t *testing.T) {
	for name, fit := range map[string]int{"bsd": 13, "sum": 8} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := up(t, func(cfg *endpoint.Config) {
				acceptOff(cfg)
				cfg.Profile, _ = profiles.Lookup(name)
			})
			dump := l.tcpdump()
			clients := l.connect(30)
			for i, c := range clients[:fit] {
				if err := c.Wait(l.ctx); err != nil {
					t.Fatalf("client %d: %v", i+1, err)
				}
			}
			states := clientStates(t, clients)
			if want := append(slices.Repeat([]netns.State{netns.Established}, fit), slices.Repeat([]netns.State{netns.SYNSent}, 30-fit)...); !slices.Equal(states, want) {
				t.Errorf("states %v, want %d ESTABLISHED, the rest SYN-SENT", states, fit)
			}
			segments := dump.stop()
			if n := count(segments, func(c *captured) bool { return c.tcp.RST }); n != 0 {
				t.Errorf("%d RSTs on the wire: a SYN at a full queue is dropped, never reset", n)
			}
			answered := count(segments, func(c *captured) bool { return c.fromServer() && c.tcp.SYN && c.tcp.ACK })
			if answered != fit {
				t.Errorf("%d SYN-ACKs on the wire, want %d", answered, fit)
			}

			accepted := l.watch(handshake.Accepted)
			for taken := 0; taken < 30; {
				if _, err := l.Accept(l.ctx, 30); err != nil {
					t.Fatal(err)
				}
				for accepted.Waiting() > 0 || taken < fit {
					l.next(accepted)
					taken++
				}
				if taken < 30 {
					promoted := l.watch(handshake.Promoted)
					if counts, _, _ := l.queues(); counts == 0 {
						l.next(promoted)
					}
					promoted.Close()
				}
			}
			for i, c := range clients {
				if err := c.Wait(l.ctx); err != nil {
					t.Errorf("client %d: %v", i+1, err)
				}
			}
		})
	}
}

// queues are the lengths of the completed and the incomplete queue, and the
// bound in words.
func (l *lab) queues() (completed, incomplete int, rule string) {
	s := l.Status(0).Listeners[0]
	return s.Completed.Length, s.Incomplete.Length, s.Rule
}

func clientStates(t *testing.T, clients []*netns.Client) []netns.State {
	t.Helper()
	states := make([]netns.State, len(clients))
	for i, c := range clients {
		state, err := c.State()
		if err != nil {
			t.Fatal(err)
		}
		states[i] = state
	}
	return states
}

// A client that resets its connection leaves the queue, and its place is free.
func TestResetWhileQueued(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	resets := l.watch(handshake.Reset)
	clients := l.connect(13)
	for _, c := range clients {
		if err := c.Wait(l.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := clients[5].Reset(); err != nil {
		t.Fatal(err)
	}
	l.next(resets)
	if completed, _, _ := l.queues(); completed != 12 {
		t.Errorf("%d in the completed queue after the reset, want 12", completed)
	}
	next := l.connect(1)[0]
	if err := next.Wait(l.ctx); err != nil {
		t.Errorf("the place that became free: %v", err)
	}
}

// A half-open entry goes at the set time, with RST|ACK as bsd does, after the
// SYN-ACKs of its schedule.
func TestHalfOpenEntryExpires(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) {
		acceptOff(cfg)
		cfg.SYNTimeout = 1500 * time.Millisecond
		retries := 1
		cfg.SYNACKRetries = &retries
		p := *profiles.BSD
		p.Schedule.Retransmit = []time.Duration{500 * time.Millisecond}
		cfg.Profile = &p
	})
	dump := l.tcpdump()
	expired := l.watch(handshake.Expired)
	l.raw(syn(spoofed(4000), 1000))
	e := l.next(expired)
	if e.Waited < 1500*time.Millisecond || e.Retransmits != 1 {
		t.Errorf("expired after %v and %d retransmissions, want 1.5 s and 1", e.Waited, e.Retransmits)
	}
	segments := dump.stop()
	synACKs := count(segments, func(c *captured) bool { return c.fromServer() && c.tcp.SYN && c.tcp.ACK })
	resets := count(segments, func(c *captured) bool { return c.fromServer() && c.tcp.RST && c.tcp.ACK && c.tcp.Ack == 1001 })
	if synACKs != 2 || resets != 1 {
		t.Errorf("%d SYN-ACKs and %d RST|ACKs on the wire, want 2 and 1", synACKs, resets)
	}
	if _, incomplete, _ := l.queues(); incomplete != 0 {
		t.Errorf("%d entries are left", incomplete)
	}
}

// Shrinking the backlog keeps what is queued and lets nobody in until it fits.
func TestBacklogChangesLive(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	for _, c := range l.connect(13) {
		if err := c.Wait(l.ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Set(map[string]string{"backlog": "2"}); err != nil {
		t.Fatal(err)
	}
	if completed, _, rule := l.queues(); completed != 13 || rule != "incomplete + completed <= 4, that is 3*2/2+1" {
		t.Errorf("%d queued under %q, want 13 kept, and the new rule", completed, rule)
	}
	if _, err := l.Accept(l.ctx, 9); err != nil {
		t.Fatal(err)
	}
	late := l.connect(1)[0]
	if state, _ := late.State(); state != netns.SYNSent {
		t.Errorf("a client at 4 of 4 is %v, want SYN-SENT", state)
	}
	if _, err := l.Accept(l.ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := late.Wait(l.ctx); err != nil {
		t.Errorf("the client does not come in when there is room: %v", err)
	}
}

// One listener serves both versions of IP: their clients share its queues.
func TestIPv4AndIPv6ShareTheQueues(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	clients := append(l.connect(7), l.connectTo(server6, 6)...)
	for i, c := range clients {
		if err := c.Wait(l.ctx); err != nil {
			t.Fatalf("client %d: %v", i+1, err)
		}
	}
	for _, late := range []*netns.Client{l.connect(1)[0], l.connectTo(server6, 1)[0]} {
		if state, err := late.State(); state != netns.SYNSent {
			t.Errorf("a client at 13 of 13 is %v (%v), want SYN-SENT", state, err)
		}
	}
}

func TestIPv6Alone(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) { cfg.Links = cfg.Links[1:] })
	l.run("curl", "-sS", "-g", "-m", "30", "-o", "/dev/null", "http://[2001:db8:77::2]/bytes/10000000")
	l.run("ping", "-c", "1", "-W", "10", "2001:db8:77::2")
	l.run("ping", "-c", "1", "-s", "4000", "-W", "10", "2001:db8:77::2")
	_, err := l.ns.Dial(l.ctx, netip.AddrPortFrom(server6.Addr(), 81))
	if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connecting to a closed port: %v, want connection refused", err)
	}
}
