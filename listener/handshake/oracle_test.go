package handshake_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// A rare combination of rules needs more than the usual 100 sequences;
// -rapid.checks on the command line overrides this.
func init() {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
}

// TestMachineAgainstNaive runs generated sequences of arrivals, ACKs, RSTs,
// nonsense, timeouts, accepts and second listens on the machine and on the naive
// implementation, and compares after each what was sent, what happened and what
// is queued. The audit's invariants hold throughout.
func TestMachineAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		t.Repeat(map[string]func(*rapid.T){
			"":            p.compareQueues,
			"arrive":      p.arrive,
			"complete":    p.complete,
			"SYN again":   p.again,
			"reset":       p.reset,
			"odd segment": p.odd,
			"advance":     p.advance,
			"late timer":  p.late,
			"accept":      p.accept,
			"ended":       p.ended,
			"failed":      p.failed,
			"configure":   p.configure,
		})
		p.drain(t)
	})
}

// pair is a machine and the naive one, given the same input.
type pair struct {
	*audit
	naive naive
	gone  []*handshake.Entry // handed over once
}

func newPair(t *rapid.T) *pair {
	p := &pair{}
	profile, s := p.draw(t)
	p.audit = newAudit(t, newMachine(profile, s))
	p.now = time.Duration(rapid.IntRange(1, 10_000).Draw(t, "epoch ms")) * time.Millisecond
	return p
}

// draw draws a profile, a backlog and a schedule, and tells the naive one.
func (p *pair) draw(t *rapid.T) (*backlog.Profile, backlog.Settings) {
	bsd := rapid.Bool().Draw(t, "bsd")
	profile := *profiles.Sum
	if bsd {
		profile = *profiles.BSD
	}
	times := []time.Duration{6 * time.Second, 30 * time.Second, 75 * time.Second}
	if rapid.Bool().Draw(t, "another schedule") {
		times = nil
		at := time.Duration(0)
		for range rapid.IntRange(1, 5).Draw(t, "stages") {
			at += time.Duration(rapid.IntRange(1, 20_000).Draw(t, "wait ms")) * time.Millisecond
			times = append(times, at)
		}
		profile.Schedule.Retransmit, profile.Schedule.Expire = times[:len(times)-1], times[len(times)-1]
	}
	s := backlog.Settings{Backlog: rapid.IntRange(-2, 4).Draw(t, "backlog"), Somaxconn: rapid.IntRange(1, 4).Draw(t, "somaxconn")}
	effective := min(max(s.Backlog, 0), s.Somaxconn)
	if s.Backlog == -1 {
		effective = s.Somaxconn
	}
	p.naive.configure(bsd, effective, times)
	return &profile, s
}

// feed gives both the same segment.
func (p *pair) feed(t *rapid.T, s segment.Segment) {
	arrived := received(t, s)
	if !p.segment(arrived) {
		t.Skip("the endpoint has it")
	}
	p.naive.segment(p.now, arrived)
	p.compare(t)
	if e := p.out.Adopt; e != nil {
		p.gone = append(p.gone, e)
		p.compareHandover(t, e)
	}
}

// compareHandover holds what the TCP behind is told of a connection against what
// its client said.
func (p *pair) compareHandover(t *rapid.T, e *handshake.Entry) {
	got, want := p.m.Handshake(p.now, e), p.naive.completed[len(p.naive.completed)-1]
	if got.ISS != want.iss || got.SYN.String() != want.handover().String() {
		t.Fatalf("handed over %v, iss %d; want %v, iss %d", &got.SYN, got.ISS, want.handover(), want.iss)
	}
}

// compare holds what the last step sent and said against the naive one, which
// learns initial sequence numbers and clocks from the machine.
func (p *pair) compare(t *rapid.T) {
	p.learn()
	var events []happening
	for _, event := range p.out.Events {
		events = append(events, happening{event.Kind, event.Tuple})
	}
	order := func(a, b happening) int { return cmp.Compare(a.tuple.String(), b.tuple.String()) }
	slices.SortStableFunc(events, order)
	slices.SortStableFunc(p.naive.events, order)
	if !slices.Equal(events, p.naive.events) {
		t.Fatalf("events %v, want %v", events, p.naive.events)
	}
	if sent, want := lines(p.out.Send), lines(p.naive.sent); !slices.Equal(sent, want) {
		t.Fatalf("sent\n%q, want\n%q", sent, want)
	}
	p.naive.sent, p.naive.events = nil, nil
}

// lines describes segments in an order of their own: timers that fire at the
// same time have none.
func lines(segments []segment.Segment) []string {
	var all []string
	for i := range segments {
		all = append(all, segments[i].String())
	}
	return slices.Sorted(slices.Values(all))
}

// learn takes an entry's initial sequence number and timestamp clock from its
// first SYN-ACK.
func (p *pair) learn() {
	for i := range p.out.Send {
		sent := &p.out.Send[i]
		e := p.naive.find(sent.Tuple)
		if e == nil || e.learned || !sent.Flags.Has(segment.SYN|segment.ACK) {
			continue
		}
		e.learned, e.iss, e.clock = true, sent.Seq, sent.Options.TSVal-uint32(p.now.Milliseconds())
		for j := range p.naive.sent {
			if expected := &p.naive.sent[j]; expected.Tuple == e.tuple {
				expected.Seq, expected.Options = e.iss, p.naive.stamped(p.now, e, expected.Options)
			}
		}
	}
}

// compareQueues holds the queues against the slices.
func (p *pair) compareQueues(t *rapid.T) {
	var queued []string
	p.m.Each(func(e *handshake.Entry) bool {
		queued = append(queued, fmt.Sprint(e.Place(), " ", e.Value.Tuple))
		return true
	})
	var want []string
	for _, e := range p.naive.incomplete {
		want = append(want, fmt.Sprint(backlog.Incomplete, " ", e.tuple))
	}
	for _, e := range p.naive.completed {
		want = append(want, fmt.Sprint(backlog.Completed, " ", e.tuple))
	}
	if !slices.Equal(queued, want) {
		t.Fatalf("queued %v, want %v", queued, want)
	}
}

// advance goes on to each deadline within a time, or a little further than all.
func (p *pair) advance(t *rapid.T) {
	end := p.now + time.Duration(rapid.IntRange(1, 100_000).Draw(t, "ms"))*time.Millisecond
	for {
		due := end + 1
		for _, e := range p.naive.incomplete {
			due = min(due, p.naive.deadline(e))
		}
		at, running := p.m.NextDeadline()
		if running != (len(p.naive.incomplete) > 0) || running && at != due && min(at, due) <= end {
			t.Fatalf("next deadline %v, %v; want %v", at, running, due)
		}
		if due > end {
			break
		}
		p.now = max(p.now, due) // a second listen can make it late
		p.fire(t)
	}
	p.now = end
}

// late fires timers once, long after some were due.
func (p *pair) late(t *rapid.T) {
	p.now += time.Duration(rapid.IntRange(1, 200_000).Draw(t, "ms")) * time.Millisecond
	p.fire(t)
}

func (p *pair) fire(t *rapid.T) {
	p.tick()
	p.naive.tick(p.now)
	p.compare(t)
}
