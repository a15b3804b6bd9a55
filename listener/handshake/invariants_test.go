package handshake_test

import (
	"slices"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// checkQueues walks both queues: their lengths are the counts, no connection is
// there twice, Owns knows the half-open ones and only them, and each of them has
// a timer.
func (a *audit) checkQueues() {
	a.t.Helper()
	var want backlog.Counts
	halfOpen := 0
	seen := make(map[segment.Tuple]bool)
	a.m.Each(func(e *handshake.Entry) bool {
		tuple := e.Value.Tuple
		if seen[tuple] {
			a.t.Fatalf("%v is queued twice", tuple)
		}
		seen[tuple] = true
		if a.m.Owns(tuple) != (e.Place() == backlog.Incomplete) || (a.handed[tuple] == e) != (e.Place() != backlog.Incomplete) {
			a.t.Fatalf("%v is %v: Owns %v, handed over %v", tuple, e.Place(), a.m.Owns(tuple), a.handed[tuple] != nil)
		}
		switch e.Place() {
		case backlog.Incomplete:
			halfOpen++
			want.Incomplete++
			if e.Retransmits() == 0 {
				want.Young++
			}
		case backlog.Parked:
			want.Incomplete++
		case backlog.Completed:
			if want.Completed++; want.Completed == 1 && a.m.Completed() != e {
				a.t.Fatalf("accept would not take the first completed connection %v", tuple)
			}
		default:
			a.t.Fatalf("%v is queued but %v", tuple, e.Place())
		}
		return true
	})
	if counts, _, _ := a.m.Queues(); counts != want {
		a.t.Fatalf("counts are %+v, the queues hold %+v", counts, want)
	}
	a.checkTimers(halfOpen)
}

// checkTimers: n timers run, those of a stage fire in their order, and the next
// deadline is the first of all.
func (a *audit) checkTimers(n int) {
	a.t.Helper()
	var all []time.Duration
	for stage, deadlines := range a.m.Deadlines() {
		if !slices.IsSorted(deadlines) {
			a.t.Fatalf("stage %d fires at %v", stage, deadlines)
		}
		all = append(all, deadlines...)
	}
	next, running := a.m.NextDeadline()
	if len(all) != n || running != (n > 0) || running && next != slices.Min(all) {
		a.t.Fatalf("%d entries are half-open, timers run until %v, the next one until %v", n, all, next)
	}
}

// checkEvents looks at the events of a step one by one.
func (a *audit) checkEvents() {
	a.t.Helper()
	counts, limits, profile := a.m.Queues()
	for i, event := range a.out.Events {
		d := event.Decision
		switch {
		case event.At != a.now || event.Profile != profile || event.Limits != limits:
			a.t.Fatalf("event %+v at %v under %+v", event, a.now, limits)
		case i == len(a.out.Events)-1 && (event.Counts.Incomplete != counts.Incomplete || event.Counts.Completed != counts.Completed):
			a.t.Fatalf("the last event %v counts %+v, there are %+v", event.Kind, event.Counts, counts)
		case event.Waited < 0:
			a.t.Fatalf("event %v waited %v", event.Kind, event.Waited)
		case event.Kind == handshake.SYNAdmitted && d.Verdict == backlog.Admit && d.Reason != backlog.TimeWait && d.Have >= d.Bound:
			a.t.Fatalf("a SYN was admitted with %d of %d", d.Have, d.Bound)
		case event.Kind == handshake.SYNDropped && (d.Verdict != backlog.Drop || d.Reason == backlog.Room):
			a.t.Fatalf("a SYN was dropped by %+v", d)
		}
	}
}

// checkCounters holds the counters against the events since the start.
func (a *audit) checkCounters() {
	a.t.Helper()
	of := func(kinds ...handshake.Kind) (n int) {
		for _, kind := range kinds {
			n += a.events[kind]
		}
		return n
	}
	deferred := int(a.m.Counters()[handshake.TCPDeferAcceptDrop])
	queuedResets := int(a.m.Counters()[handshake.ResetsQueued])
	for counter, want := range map[handshake.Counter]int{
		handshake.SYNsReceived:    of(handshake.SYNAdmitted, handshake.SYNDropped, handshake.CookieSent),
		handshake.ListenDrops:     of(handshake.SYNDropped, handshake.ACKDropped, handshake.ACKReset, handshake.ACKForgotten) - deferred,
		handshake.PassiveOpens:    a.adopted,
		handshake.Accepts:         of(handshake.Accepted),
		handshake.ExpiredEntries:  of(handshake.Expired),
		handshake.EvictedEntries:  of(handshake.Evicted),
		handshake.AdoptionsFailed: of(handshake.AdoptionFailed),
		handshake.SyncookiesSent:  of(handshake.CookieSent),
		handshake.OutRsts:         a.resets,
		handshake.AttemptFails:    of(handshake.Reset) - queuedResets,
		handshake.EmbryonicRsts:   of(handshake.ACKReset, handshake.Reset) - queuedResets,
	} {
		if got := a.m.Counters()[counter]; got != uint64(want) {
			a.t.Fatalf("counter %v is %d, the events say %d: %v", counter, got, want, a.events)
		}
	}
	// Each timer is told of, but for those of deferred entries that rest.
	told := of(handshake.Retransmitted, handshake.Expired)
	if got := int(a.m.Counters()[handshake.TCPTimeouts]); got < told || got > told && deferred == 0 {
		a.t.Fatalf("counter TCPTimeouts is %d, the events say %d: %v", got, told, a.events)
	}
	came := of(handshake.SYNAdmitted) + a.cookies
	went := of(handshake.Expired, handshake.Evicted, handshake.Reset, handshake.ACKReset, handshake.ACKForgotten,
		handshake.Accepted, handshake.AdoptionFailed, handshake.Closed) - a.kept
	if counts, _, _ := a.m.Queues(); came-went != counts.Total() {
		a.t.Fatalf("%d entries came and %d went, but there are %+v", came, went, counts)
	}
}
