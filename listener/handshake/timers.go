package handshake

import (
	"slices"
	"time"

	"tcplab/listener/backlog"
)

// timers are the SYN-ACK timers of all half-open entries. The entries in one
// stage of retransmission all wait equally long, so each stage is a FIFO whose
// front fires first: no heap, and O(1) to start and to stop a timer.
type timers struct {
	waits  []time.Duration // waits[k] is how long stage k lasts; the last one ends with expiry
	stages []timerList
}

// timerList is a doubly linked list of entries in order of their deadlines.
type timerList struct{ front, back *Entry }

// configure takes over a schedule. The entries keep their stage as far as there
// is one, and wait as the new schedule says from when their stage began.
func (t *timers) configure(schedule backlog.Schedule) {
	var all []*Entry
	for i := range t.stages {
		for e := t.stages[i].front; e != nil; e = e.Value.next {
			e.Value.deadline -= t.waits[i] // when the stage began
			all = append(all, e)
		}
	}
	t.waits = waits(schedule)
	t.stages = make([]timerList, len(t.waits))
	for _, e := range all {
		e.Value.stage = min(e.Value.stage, uint8(len(t.stages)-1))
		e.Value.deadline += t.waits[e.Value.stage]
	}
	slices.SortStableFunc(all, func(a, b *Entry) int { return int(a.Value.deadline - b.Value.deadline) })
	for _, e := range all {
		t.stages[e.Value.stage].pushBack(e)
	}
}

// waits turns times since the first SYN-ACK into times between events.
// Retransmissions at or after the expiry do not happen.
func waits(schedule backlog.Schedule) []time.Duration {
	var between []time.Duration
	last := time.Duration(0)
	for _, at := range schedule.Retransmit {
		if at >= schedule.Expire {
			break
		}
		between = append(between, at-last)
		last = at
	}
	return append(between, schedule.Expire-last)
}

// start puts e at the end of a stage.
func (t *timers) start(now time.Duration, e *Entry, stage int) {
	e.Value.stage, e.Value.deadline = uint8(stage), now+t.waits[stage]
	t.stages[stage].pushBack(e)
}

// stop takes e out of its stage.
func (t *timers) stop(e *Entry) { t.stages[e.Value.stage].remove(e) }

// advance puts e into the stage after its own; it stays in the last one.
func (t *timers) advance(now time.Duration, e *Entry) {
	t.stop(e)
	t.start(now, e, min(int(e.Value.stage)+1, len(t.stages)-1))
}

// retransmissions is how many the schedule has.
func (t *timers) retransmissions() int { return len(t.waits) - 1 }

// last reports whether e waits for nothing but its expiry.
func (t *timers) last(e *Entry) bool { return int(e.Value.stage) == len(t.stages)-1 }

// next is the entry whose timer fires first, nil if none runs.
func (t *timers) next() *Entry {
	var first *Entry
	for i := range t.stages {
		if e := t.stages[i].front; e != nil && (first == nil || e.Value.deadline < first.Value.deadline) {
			first = e
		}
	}
	return first
}

func (l *timerList) pushBack(e *Entry) {
	e.Value.prev, e.Value.next = l.back, nil
	if l.back == nil {
		l.front = e
	} else {
		l.back.Value.next = e
	}
	l.back = e
}

func (l *timerList) remove(e *Entry) {
	if e.Value.prev == nil {
		l.front = e.Value.next
	} else {
		e.Value.prev.Value.next = e.Value.next
	}
	if e.Value.next == nil {
		l.back = e.Value.prev
	} else {
		e.Value.next.Value.prev = e.Value.prev
	}
	e.Value.prev, e.Value.next = nil, nil
}
