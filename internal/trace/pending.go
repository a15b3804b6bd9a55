package trace

import (
	"time"

	"tcplab/listener"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

const (
	maxPending  = 512         // events that wait for a packet
	maxForeign  = 32          // events of other connections at one packet
	maxPatience = time.Second // how long an event waits for a packet of its connection
)

// place is which packet an event waits for.
type place uint8

const (
	either   place = iota // the next one of its connection
	outbound              // the next one that is sent on its connection
	anywhere              // the next one: none of its connection will follow
)

// placeOf says which packet shows an event that none was at hand for.
func placeOf(e *listener.Event) place {
	switch e.Kind {
	case handshake.Retransmitted, handshake.AdoptionFailed, handshake.Closed:
		return outbound
	case handshake.Expired:
		if e.Profile.Schedule.ResetOnExpire {
			return outbound
		}
		return anywhere
	case handshake.Reset, handshake.Evicted, handshake.ACKForgotten:
		return anywhere
	}
	return either
}

// pending are the events that wait for a packet, oldest first. Not safe for
// concurrent use.
type pending struct {
	waiting []waiting
	lost    uint64 // since the last take
}

type waiting struct {
	event listener.Event
	place place
	since time.Time
}

func (p *pending) add(e *listener.Event, now time.Time) {
	if len(p.waiting) == maxPending {
		p.waiting = append(p.waiting[:0], p.waiting[1:]...)
		p.lost++
	}
	p.waiting = append(p.waiting, waiting{*e, placeOf(e), now})
}

// take removes the events that a packet shows and appends them to list. ok says
// that the packet has a tuple.
func (p *pending) take(list []listener.Event, tuple segment.Tuple, ok, inbound bool, now time.Time) []listener.Event {
	left := p.waiting[:0]
	foreign := 0
	for _, w := range p.waiting {
		own := ok && w.event.Tuple == tuple && (w.place == either || w.place == outbound && !inbound)
		due := w.place == anywhere || now.Sub(w.since) >= maxPatience
		switch {
		case own:
		case due && foreign < maxForeign:
			foreign++
		default:
			left = append(left, w)
			continue
		}
		list = append(list, w.event)
	}
	clear(p.waiting[len(left):])
	p.waiting = left
	return list
}

// takeLost is how many events were dropped since it was called last.
func (p *pending) takeLost() uint64 {
	n := p.lost
	p.lost = 0
	return n
}
