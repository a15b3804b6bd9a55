package events

import (
	"context"
	"sync"

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

	mu    sync.Mutex // guards the following
	ring  ring
	lost  uint64 // since the last event that was taken
	ended bool
}

// push appends e, in the place of the oldest event where the ring is full.
func (s *Subscription) push(e *listener.Event) {
	if !s.kinds.Has(e.Kind) {
		return
	}
	s.mu.Lock()
	if !s.ended && s.ring.push(e) {
		s.lost++
	}
	s.mu.Unlock()
	s.ready.Ring()
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
}
