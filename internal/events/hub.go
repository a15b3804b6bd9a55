package events

import (
	"slices"
	"sync"
	"time"

	"tcplab/internal/bell"
	"tcplab/listener"
)

// Kept is how many of the last events a Hub keeps for those who ask later.
const Kept = 1024

// Hub hands each published event to all subscriptions, and keeps the last ones.
// The zero value is ready for use.
type Hub struct {
	mu     sync.Mutex      // guards the following
	subs   []*Subscription // replaced as a whole, never changed
	kept   ring
	closed bool
}

// Publish hands e to all subscriptions. It waits for no reader but those of Record,
// and is meant as the Observer of listener.Config.
func (h *Hub) Publish(e listener.Event) {
	h.mu.Lock()
	if h.kept.events == nil {
		h.kept = newRing(Kept)
	}
	h.kept.push(&e)
	subs := h.subs
	h.mu.Unlock()
	for _, s := range subs {
		s.push(&e)
	}
}

// Subscribe starts a subscription to the events of the given kinds which holds
// at most size of them, at least one, until they are read. End it with Close.
func (h *Hub) Subscribe(size int, kinds Kinds) *Subscription {
	return h.subscribe(h.subscription(size, kinds), false)
}

// Record is Subscribe to all kinds for a reader that is to miss nothing, as long as
// it goes on reading: where there is no room, Publish waits for it, and so do the
// packets. A reader that takes nothing for the time of patience, as on a disk that
// hangs, loses the oldest events then, without any further waiting until half of
// its queue is free.
func (h *Hub) Record(size int, patience time.Duration) *Subscription {
	s := h.subscription(size, 0)
	s.patience = patience
	return h.subscribe(s, false)
}

// Replay is Subscribe that begins with the events that are kept, as many as
// there is room for. None is missing between those and the ones that follow.
func (h *Hub) Replay(size int, kinds Kinds) *Subscription {
	return h.subscribe(h.subscription(size, kinds), true)
}

func (h *Hub) subscription(size int, kinds Kinds) *Subscription {
	return &Subscription{hub: h, kinds: kinds, ready: bell.New(), room: bell.New(), ring: newRing(max(size, 1))}
}

func (h *Hub) subscribe(s *Subscription, replay bool) *Subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	if replay {
		for i := range h.kept.length {
			s.push(h.kept.at(i))
		}
		s.lost = 0 // not by being slow
	}
	if h.closed {
		s.end()
		return s
	}
	h.subs = append(slices.Clone(h.subs), s)
	return s
}

// Close ends all subscriptions: their readers get what is left and then io.EOF.
// What is published from now on goes nowhere.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range h.subs {
		s.end()
	}
	h.subs = nil
}

// remove forgets a subscription.
func (h *Hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = slices.DeleteFunc(slices.Clone(h.subs), func(other *Subscription) bool { return other == s })
}
