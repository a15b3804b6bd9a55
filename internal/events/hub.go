package events

import (
	"slices"
	"sync"
	"sync/atomic"

	"tcplab/listener"
)

// Hub hands each published event to all subscriptions. The zero value is ready
// for use.
type Hub struct {
	// subs is replaced as a whole, under mu, so that Publish needs no lock.
	subs atomic.Pointer[[]*Subscription]

	mu     sync.Mutex
	closed bool
}

// Publish hands e to all subscriptions. It does not block, and is meant as the
// Observer of listener.Config.
func (h *Hub) Publish(e listener.Event) {
	if subs := h.subs.Load(); subs != nil {
		for _, s := range *subs {
			s.push(&e)
		}
	}
}

// Subscribe starts a subscription to the events of the given kinds which holds
// at most size of them, at least one, until they are read. End it with Close.
func (h *Hub) Subscribe(size int, kinds Kinds) *Subscription {
	s := &Subscription{
		hub:   h,
		kinds: kinds,
		ready: make(chan struct{}, 1),
		ring:  make([]listener.Event, max(size, 1)),
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.end()
		return s
	}
	h.replaceLocked(func(subs []*Subscription) []*Subscription { return append(subs, s) })
	return s
}

// Close ends all subscriptions: their readers get what is left and then io.EOF.
// What is published from now on goes nowhere.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.replaceLocked(func(subs []*Subscription) []*Subscription {
		for _, s := range subs {
			s.end()
		}
		return nil
	})
}

// remove forgets a subscription.
func (h *Hub) remove(s *Subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replaceLocked(func(subs []*Subscription) []*Subscription {
		return slices.DeleteFunc(subs, func(other *Subscription) bool { return other == s })
	})
}

// replaceLocked changes a copy of the list of subscriptions and puts it in place.
func (h *Hub) replaceLocked(change func([]*Subscription) []*Subscription) {
	var subs []*Subscription
	if old := h.subs.Load(); old != nil {
		subs = slices.Clone(*old)
	}
	subs = change(subs)
	h.subs.Store(&subs)
}
