package ui

import (
	"cmp"
	"container/list"
	"slices"
	"time"

	"tcplab/listener"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

const (
	keepEach  = 64               // connections of each class: those that completed, and the others
	watchTime = 10 * time.Second // so long a connection that a page looked at is not forgotten
)

// history keeps the recent connections. It is not safe for concurrent use; the
// time comes in with the steps. The zero value is ready for use.
type history struct {
	byTuple map[segment.Tuple]*connection // the newest one on each tuple
	byID    map[uint64]*connection
	served  list.List // of *connection, the one touched last at the front
	others  list.List
	lastID  uint64
	changed bool // since the last call of summaries
}

// event takes an event of a listener.
func (h *history) event(e *listener.Event) {
	c := h.byTuple[e.Tuple]
	if c == nil || c.state.over() && begins(e.Kind) {
		c = h.begin(e.Tuple, e.Time)
	}
	c.note(e)
	h.touch(c)
}

// begins reports whether an event is about a SYN at LISTEN.
func begins(k handshake.Kind) bool {
	return k == handshake.SYNAdmitted || k == handshake.SYNDropped || k == handshake.CookieSent
}

// packet takes an IP packet of which data is the beginning; length is that on
// the wire. What is no TCP segment is nothing to a ladder.
func (h *history) packet(at time.Time, inbound bool, data []byte, length int) {
	tuple, s, ok := readStep(data, length, inbound)
	if !ok {
		return
	}
	s.at = at
	c := h.byTuple[tuple]
	opens := inbound && s.flags.Has(segment.SYN) && !s.flags.Has(segment.ACK)
	if c == nil || opens && c.hasClientISN && c.clientISN != s.seq {
		c = h.begin(tuple, at)
	}
	c.segment(s)
	h.touch(c)
}

// begin makes a connection, the newest one on its tuple.
func (h *history) begin(tuple segment.Tuple, at time.Time) *connection {
	if h.byTuple == nil {
		h.byTuple, h.byID = make(map[segment.Tuple]*connection), make(map[uint64]*connection)
	}
	h.lastID++
	c := &connection{id: h.lastID, tuple: tuple, state: Arriving, began: at}
	h.byTuple[tuple], h.byID[c.id] = c, c
	c.place = h.others.PushFront(c)
	h.trim(&h.others, at)
	return c
}

// touch notes that something happened to a connection.
func (h *history) touch(c *connection) {
	h.changed = true
	switch {
	case c.served:
		h.served.MoveToFront(c.place)
	case c.state == Completed || c.state == Accepted:
		h.others.Remove(c.place)
		c.served, c.place = true, h.served.PushFront(c)
		h.trim(&h.served, c.began)
	default:
		h.others.MoveToFront(c.place)
	}
}

// trim forgets the connections of a class beyond what is kept: those to which
// nothing happened for longest, but none that a page looks at.
func (h *history) trim(class *list.List, now time.Time) {
	for tries := class.Len(); class.Len() > keepEach && tries > 0; tries-- {
		c := class.Back().Value.(*connection)
		if now.Sub(c.watched) < watchTime {
			class.MoveToFront(c.place)
			continue
		}
		class.Remove(c.place)
		delete(h.byID, c.id)
		if h.byTuple[c.tuple] == c {
			delete(h.byTuple, c.tuple)
		}
	}
}

// ladder is the ladder of a connection, and whether there is one.
func (h *history) ladder(id uint64, now time.Time) (Ladder, bool) {
	c := h.byID[id]
	if c == nil {
		return Ladder{}, false
	}
	c.watched = now
	return c.ladder(), true
}

// summaries are the connections, the newest one first; nil if nothing changed
// since the last call and all is false.
func (h *history) summaries(all bool) []Summary {
	if !h.changed && !all {
		return nil
	}
	h.changed = false
	list := make([]Summary, 0, len(h.byID))
	for _, c := range h.byID {
		list = append(list, c.summary())
	}
	slices.SortFunc(list, func(a, b Summary) int { return cmp.Compare(b.ID, a.ID) })
	return list
}
