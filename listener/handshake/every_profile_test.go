package handshake_test

import (
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Every profile against the rulebook: generated arrivals, final ACKs, resets,
// timeouts, accepts. After each step both have said the same and have the same
// clients in the same order in both queues.
func TestEveryProfileAgainstTheRulebook(t *testing.T) {
	if len(rulebook) != len(profiles.All()) {
		t.Errorf("the rulebook has %d pages for %d profiles", len(rulebook), len(profiles.All()))
	}
	checks := flag.Lookup("rapid.checks").Value
	defer func(was string) { _ = checks.Set(was) }(checks.String())
	_ = checks.Set("300") // for each of fourteen; it is a number
	for _, profile := range profiles.All() {
		t.Run(profile.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { newBook(t, profile).run(t) })
		})
	}
}

// book is a machine and the ledger, given the same input.
type book struct {
	*audit
	ledger *ledger
	next   int // the next client that was never seen
}

func newBook(t *rapid.T, profile *backlog.Profile) *book {
	s := backlog.Settings{
		Backlog:         rapid.IntRange(-3, 14).Draw(t, "backlog"),
		Somaxconn:       rapid.SampledFrom([]int{1, 2, 5, 14}).Draw(t, "somaxconn"),
		MaxSynBacklog:   rapid.SampledFrom([]int{1, 4, 8, 128}).Draw(t, "max_syn_backlog"),
		Syncookies:      rapid.IntRange(0, 2).Draw(t, "syncookies"),
		AbortOnOverflow: rapid.Bool().Draw(t, "abort_on_overflow"),
	}
	return &book{audit: newAudit(t, newMachine(profile, s)), ledger: newLedger(rulebook[profile.Name], s)}
}

func (b *book) run(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"arrive":   b.arrive,
		"reopen":   b.reopen,
		"burst":    func(t *rapid.T) { b.many(t, b.arrive) },
		"complete": b.complete,
		"all":      func(t *rapid.T) { b.many(t, b.complete) },
		"reset":    b.reset,
		"end":      b.end,
		"accept":   b.take,
		"wait":     b.wait,
	})
}

// many does a step several times.
func (b *book) many(t *rapid.T, step func(*rapid.T)) {
	for range rapid.IntRange(2, 20).Draw(t, "times") {
		step(t)
	}
}

func clientAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), uint16(n))
}

func line(what string, client int) string { return fmt.Sprintf("%d %s", client, what) }

func (b *book) arrive(t *rapid.T) {
	b.segment(b.stranger(t))
	b.ledger.syn(b.now, b.next)
	b.compare(t)
}

// reopen is arrive of a client whose last connection is in TIME-WAIT.
func (b *book) reopen(t *rapid.T) {
	b.audit.reopen(b.stranger(t), rapid.Uint32().Draw(t, "snd.nxt"))
	b.ledger.reopen(b.now, b.next)
	b.compare(t)
}

// stranger is the SYN of a client that was never seen.
func (b *book) stranger(t *rapid.T) *segment.Segment {
	b.next++
	return received(t, segment.Segment{
		Tuple: tupleOf(clientAddr(b.next)), Seq: 1000, Flags: segment.SYN, Window: 1000,
	})
}

// halfOpen draws a half-open client, and has its entry.
func (b *book) halfOpen(t *rapid.T) (client int, e *handshake.Entry) {
	var open []*handshake.Entry
	b.m.Each(func(e *handshake.Entry) bool {
		if e.Place() == backlog.Incomplete {
			open = append(open, e)
		}
		return true
	})
	if len(open) == 0 {
		return 0, nil
	}
	e = open[rapid.IntRange(0, len(open)-1).Draw(t, "which")]
	return int(e.Value.Tuple.ClientPort), e
}

func (b *book) complete(t *rapid.T) {
	client, e := b.halfOpen(t)
	if e == nil {
		return
	}
	b.segment(received(t, segment.Segment{
		Tuple: e.Value.Tuple, Seq: 1001, Ack: e.Value.ISS + 1, Flags: segment.ACK, Window: 1000,
	}))
	b.ledger.ack(client)
	b.compare(t)
}

func (b *book) reset(t *rapid.T) {
	client, e := b.halfOpen(t)
	if e == nil {
		return
	}
	b.segment(received(t, segment.Segment{Tuple: e.Value.Tuple, Seq: 1001, Flags: segment.RST}))
	b.ledger.rst(client)
	b.compare(t)
}

// end has a client reset a connection that is established and not accepted.
func (b *book) end(t *rapid.T) {
	var waiting []*handshake.Entry
	b.m.Each(func(e *handshake.Entry) bool {
		if e.Place() != backlog.Incomplete && !b.endedBefore(e) {
			waiting = append(waiting, e)
		}
		return true
	})
	if len(waiting) == 0 {
		return
	}
	e := waiting[rapid.IntRange(0, len(waiting)-1).Draw(t, "which")]
	client := int(e.Value.Tuple.ClientPort)
	b.ended(e)
	b.ledger.ended(client)
	b.compare(t)
}

// endedBefore reports whether e stayed queued though its client has reset it.
func (b *book) endedBefore(e *handshake.Entry) bool {
	return b.handed[e.Value.Tuple] == nil
}

func (b *book) take(t *rapid.T) {
	if b.accept() {
		b.ledger.accept()
	} else if len(b.ledger.com) > 0 {
		t.Fatalf("nothing to accept, the rulebook has %d", len(b.ledger.com))
	}
	b.compare(t)
}

// wait lets time pass, timer by timer.
func (b *book) wait(t *rapid.T) {
	until := b.now + time.Duration(rapid.IntRange(1, 60_000).Draw(t, "ms"))*time.Millisecond
	for {
		var first *noted
		for _, e := range b.ledger.inc {
			if !e.parked && (first == nil || b.ledger.due(e) < b.ledger.due(first)) {
				first = e
			}
		}
		if first == nil || b.ledger.due(first) > until {
			break
		}
		b.now = b.ledger.due(first)
		entries := slices.Clone(b.ledger.inc)
		// Of entries that are due at the same time, those in earlier stages go first.
		slices.SortStableFunc(entries, func(x, y *noted) int { return x.resent - y.resent })
		for _, e := range entries {
			for !e.parked && slices.Contains(b.ledger.inc, e) && b.ledger.due(e) == b.now {
				b.ledger.fire(e)
			}
		}
		b.tick()
		b.compare(t)
	}
	b.now = until
	b.tick()
	b.compare(t)
}

// compare holds the machine against the rulebook.
func (b *book) compare(t *rapid.T) {
	var said []string
	for _, e := range b.out.Events {
		said = append(said, line(e.Kind.String(), int(e.Tuple.ClientPort)))
	}
	slices.Sort(said) // timers of the same moment fire in the order of their stages
	slices.Sort(b.ledger.said)
	if !slices.Equal(said, b.ledger.said) {
		t.Fatalf("%v: said %q, the rulebook %q", b.now, said, b.ledger.said)
	}
	b.ledger.said = nil
	var inc, com []int
	b.m.Each(func(e *handshake.Entry) bool {
		if e.Place() == backlog.Completed {
			com = append(com, int(e.Value.Tuple.ClientPort))
		} else {
			inc = append(inc, int(e.Value.Tuple.ClientPort))
		}
		return true
	})
	clients := func(list []*noted) (numbers []int) {
		for _, e := range list {
			numbers = append(numbers, e.client)
		}
		return numbers
	}
	if !slices.Equal(inc, clients(b.ledger.inc)) || !slices.Equal(com, clients(b.ledger.com)) {
		t.Fatalf("incomplete %v, completed %v; the rulebook has %v and %v", inc, com, clients(b.ledger.inc), clients(b.ledger.com))
	}
}
