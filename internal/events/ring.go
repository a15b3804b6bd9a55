package events

import "tcplab/listener"

// ring are the last events of many. Not safe for concurrent use.
type ring struct {
	events []listener.Event
	first  int // of events, the oldest one
	length int
}

func newRing(size int) ring { return ring{events: make([]listener.Event, size)} }

// push appends e, and reports whether the oldest event had to make room.
func (r *ring) push(e *listener.Event) (full bool) {
	r.events[(r.first+r.length)%len(r.events)] = *e
	if r.length < len(r.events) {
		r.length++
		return false
	}
	r.first = (r.first + 1) % len(r.events)
	return true
}

// at is event number i, the oldest being 0.
func (r *ring) at(i int) *listener.Event { return &r.events[(r.first+i)%len(r.events)] }

// shift takes the oldest event out.
func (r *ring) shift() listener.Event {
	e := r.events[r.first]
	r.first = (r.first + 1) % len(r.events)
	r.length--
	return e
}
