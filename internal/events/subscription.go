package events

import (
	"context"
	"sync"
	"time"

	"tcplab/internal/bell"
	"tcplab/listener"
)

// Event is an event of a listener as a subscription delivers it.
type Event struct {
	listener.Event
	Lost uint64 // events before this one that the reader was too slow for
}

// Subscription is a reader's queue of events.
type Subscription struct {
	hub   *Hub
	kinds Kinds
	ready bell.Bell // an event or the end has come
	room  bell.Bell // there is room again, or the end has come
	// patience is how long an event waits for room before the oldest one is lost;
	// zero is not at all.
	patience time.Duration

	mu      sync.Mutex // guards the following
	ring    ring
	lost    uint64 // since the last event that was taken
	ended   bool
	taken   uint64 // events that the reader took
	waiting int    // events that wait for room
	behind  bool   // the reader took nothing for all of patience: nothing waits until half is free
}

// push appends e, in the place of the oldest event where the ring is full and
// stays so.
func (s *Subscription) push(e *listener.Event) {
	if !s.kinds.Has(e.Kind) {
		return
	}
	s.mu.Lock()
	if s.patience > 0 {
		s.awaitRoomLocked()
	}
	if !s.ended && s.ring.push(e) {
		s.lost++
	}
	s.mu.Unlock()
	s.ready.Ring()
}

// awaitRoomLocked waits until the ring is not full, or the reader has taken nothing
// for patience.
func (s *Subscription) awaitRoomLocked() {
	if !s.fullLocked() {
		return
	}
	patience := time.NewTimer(s.patience)
	defer patience.Stop()
	s.waiting++
	taken := s.taken
	for s.fullLocked() {
		s.mu.Unlock()
		select {
		case <-s.room.C():
			s.mu.Lock()
		case <-patience.C:
			s.mu.Lock()
			s.behind = s.behind || s.taken == taken
			taken = s.taken
			patience.Reset(s.patience)
		}
	}
	s.waiting--
	if s.waiting > 0 {
		s.room.Ring()
	}
}

// fullLocked reports whether an event should wait for room.
func (s *Subscription) fullLocked() bool {
	return s.ring.length == len(s.ring.events) && !s.ended && !s.behind
}

// Next waits for the next event and takes it. The error is io.EOF when the
// subscription has ended and nothing is left, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	return bell.Next(ctx, s.ready, s.take)
}

// take takes the oldest event, if there is one.
func (s *Subscription) take() (e Event, ok, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring.length == 0 {
		return Event{}, false, s.ended
	}
	e = Event{Event: s.ring.shift(), Lost: s.lost}
	s.lost = 0
	s.taken++
	size := len(s.ring.events)
	if s.ring.length <= size/2 {
		s.behind = false
	}
	if s.waiting > 0 && s.ring.length <= size-max(size/8, 1) { // not for each event
		s.room.Ring()
	}
	return e, true, false
}

// Waiting is the number of events that Next would return without waiting.
func (s *Subscription) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ring.length
}

// Close ends the subscription: Next returns what is left and then io.EOF.
func (s *Subscription) Close() {
	s.hub.remove(s)
	s.end()
}

func (s *Subscription) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.ready.Ring()
	s.room.Ring()
}
