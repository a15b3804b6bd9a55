package handshake_test

import (
	"math"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// audit drives a machine and holds it after each step to what is true under
// every profile and whatever clients do.
type audit struct {
	t   rapid.TB
	m   *handshake.Machine
	now time.Duration
	out handshake.Output // of the last step

	events  map[handshake.Kind]int
	resets  int // segments with RST that were sent
	adopted int // connections that were handed over
	cookies int // connections that a SYN cookie made
	kept    int // reset connections that stayed queued
	handed  map[segment.Tuple]*handshake.Entry
}

func newAudit(t rapid.TB, m *handshake.Machine) *audit {
	return &audit{t: t, m: m, events: make(map[handshake.Kind]int), handed: make(map[segment.Tuple]*handshake.Entry)}
}

// segment feeds a segment, unless its connection was handed over and is still
// queued: then the endpoint would get it. It reports whether it did.
func (a *audit) segment(s *segment.Segment) bool {
	a.t.Helper()
	return a.feed(s, func() { a.m.Segment(a.now, s, &a.out) })
}

// reopen feeds a SYN on the tuple of a connection in TIME-WAIT.
func (a *audit) reopen(s *segment.Segment, sndNxt uint32) {
	a.t.Helper()
	half := a.m.Owns(s.Tuple)
	a.feed(s, func() { a.m.Reopen(a.now, s, sndNxt, &a.out) })
	if !half && len(a.out.Send) == 1 && a.count(handshake.CookieSent) == 0 && !segment.After(a.out.Send[0].Seq, sndNxt) {
		a.t.Fatalf("the new connection begins with %d, the old one came to %d", a.out.Send[0].Seq, sndNxt)
	}
}

func (a *audit) feed(s *segment.Segment, step func()) bool {
	a.t.Helper()
	if a.handed[s.Tuple] != nil {
		return false
	}
	half := a.m.Owns(s.Tuple)
	counters := *a.m.Counters()
	a.out.Reset()
	step()
	a.settle(half)

	arrived := a.m.Counters()[handshake.SYNsReceived] - counters[handshake.SYNsReceived]
	verdicts := a.count(handshake.SYNAdmitted) + a.count(handshake.SYNDropped) + a.count(handshake.CookieSent)
	if s.Flags&(segment.SYN|segment.ACK|segment.RST|segment.FIN) == segment.SYN && !half {
		invalid := a.m.Counters()[handshake.InvalidSource] - counters[handshake.InvalidSource]
		if arrived+invalid != 1 || uint64(verdicts) != arrived {
			a.t.Fatalf("%v in LISTEN got %d verdicts: %v", s, verdicts, a.kinds())
		}
	} else if arrived+uint64(verdicts) != 0 {
		a.t.Fatalf("%v, half-open %v, was taken for a new SYN: %v", s, half, a.kinds())
	}
	if a.count(handshake.SYNDropped)+a.count(handshake.ACKDropped)+a.count(handshake.ACKForgotten) > 0 && len(a.out.Send) > 0 {
		a.t.Fatalf("%v was dropped and answered with %v", s, &a.out.Send[0])
	}
	if s.Flags.Has(segment.RST) && a.sent(segment.RST) > 0 {
		a.t.Fatalf("%v was answered with %v", s, &a.out.Send[0])
	}
	return true
}

// tick fires all timers that are due.
func (a *audit) tick() {
	a.t.Helper()
	a.out.Reset()
	a.m.Tick(a.now, math.MaxInt, &a.out)
	a.settle(false)
	if at, ok := a.m.NextDeadline(); ok && at <= a.now {
		a.t.Fatalf("at %v the next deadline is %v", a.now, at)
	}
}

// accept takes the first completed connection and reports whether there was one.
func (a *audit) accept() bool {
	a.t.Helper()
	a.out.Reset()
	e := a.m.Completed()
	if e == nil {
		return false
	}
	a.m.Accept(a.now, e, &a.out)
	delete(a.handed, e.Value.Tuple)
	a.settle(false)
	return true
}

// ended tells the machine that the endpoint has lost a connection.
func (a *audit) ended(e *handshake.Entry) {
	a.t.Helper()
	a.out.Reset()
	if a.m.Ended(a.now, e, &a.out) {
		a.kept++
	} else {
		delete(a.handed, e.Value.Tuple)
	}
	a.settle(false)
}

// failed tells the machine that the endpoint did not take a connection over.
func (a *audit) failed(e *handshake.Entry) {
	a.t.Helper()
	a.out.Reset()
	a.m.AdoptionFailed(a.now, e, &a.out)
	delete(a.handed, e.Value.Tuple)
	a.settle(false)
}

// configure is a second listen(2).
func (a *audit) configure(profile *backlog.Profile, s backlog.Settings) {
	a.t.Helper()
	a.out.Reset()
	a.m.Configure(a.now, profile, s, &a.out)
	a.settle(false)
}

// close closes the listening socket, after which nothing may be left.
func (a *audit) close() {
	a.t.Helper()
	a.out.Reset()
	a.m.Close(a.now, &a.out)
	clear(a.handed)
	a.settle(false)
	if counts, _, _ := a.m.Queues(); counts != (backlog.Counts{}) {
		a.t.Fatalf("after Close there are %+v", counts)
	}
	if at, ok := a.m.NextDeadline(); ok {
		a.t.Fatalf("after Close a timer runs until %v", at)
	}
}

// settle notes what came out of a step and checks all invariants. half is
// whether the step was about a half-open entry.
func (a *audit) settle(half bool) {
	a.t.Helper()
	for _, event := range a.out.Events {
		a.events[event.Kind]++
	}
	a.resets += a.sent(segment.RST)
	if e := a.out.Adopt; e != nil {
		a.adopted++
		if !half {
			a.cookies++
		}
		if a.handed[e.Value.Tuple] != nil {
			a.t.Fatalf("%v was handed over twice", e.Value.Tuple)
		}
		a.handed[e.Value.Tuple] = e
	}
	a.checkQueues()
	a.checkEvents()
	a.checkCounters()
}

// count is how often kind happened in the last step.
func (a *audit) count(kind handshake.Kind) int {
	n := 0
	for _, event := range a.out.Events {
		if event.Kind == kind {
			n++
		}
	}
	return n
}

// kinds are the events of the last step.
func (a *audit) kinds() []handshake.Kind {
	var kinds []handshake.Kind
	for _, event := range a.out.Events {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

// sent is how many segments with flags the last step sent.
func (a *audit) sent(flags segment.Flags) int {
	n := 0
	for i := range a.out.Send {
		if a.out.Send[i].Flags.Has(flags) {
			n++
		}
	}
	return n
}
