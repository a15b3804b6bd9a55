package ui

import (
	"container/list"
	"time"

	"tcplab/listener"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// State is where a connection is, or how it ended.
type State string

// The states. Several events or segments lead to each.
const (
	Arriving   State = "arriving"   // segments were seen, and nothing was decided yet
	Incomplete State = "incomplete" // SYN-RECEIVED, in the incomplete queue
	Completed  State = "completed"  // ESTABLISHED, in the completed queue
	Accepted   State = "accepted"   // the application has it
	Dropped    State = "dropped"    // its SYN was dropped; the client will send it again
	Cookie     State = "cookie"     // its SYN was answered with a SYN cookie
	Expired    State = "expired"    // no final ACK came in time
	Evicted    State = "evicted"    // its entry made room for a newer one
	Forgotten  State = "forgotten"  // its entry went at its final ACK, silently
	WasReset   State = "reset"      // by the client, or by the listener at its final ACK
	Refused    State = "refused"    // its SYN was answered with RST: a closed port
	Closed     State = "closed"     // by both sides, or with the listening socket
	Failed     State = "failed"     // the TCP behind did not take it over
)

// states are the states that events lead to.
var states = map[handshake.Kind]State{
	handshake.SYNAdmitted:    Incomplete,
	handshake.SYNDropped:     Dropped,
	handshake.CookieSent:     Cookie,
	handshake.Expired:        Expired,
	handshake.Evicted:        Evicted,
	handshake.ACKReset:       WasReset,
	handshake.ACKForgotten:   Forgotten,
	handshake.Promoted:       Completed,
	handshake.Accepted:       Accepted,
	handshake.Reset:          WasReset,
	handshake.AdoptionFailed: Failed,
	handshake.Closed:         Closed,
}

// over reports whether nothing more comes of a connection in this state; a SYN
// on its tuple begins another one.
func (s State) over() bool {
	switch s {
	case Expired, Evicted, Forgotten, WasReset, Refused, Closed, Failed:
		return true
	}
	return false
}

// step is a segment, or an event between segments.
type step struct {
	at      time.Time
	event   *listener.Event // nil for a segment
	inbound bool
	flags   segment.Flags
	seq     uint32
	ack     uint32
	window  uint16
	length  int // of the data, as on the wire
	options string
}

// The steps that are kept of a connection: the first ones, and between tailSteps
// and twice as many of the last ones.
const (
	headSteps = 48
	tailSteps = 48
)

// connection is what is kept of a connection.
type connection struct {
	id      uint64
	tuple   segment.Tuple
	state   State
	began   time.Time
	version uint64
	drops   int

	clientISN, serverISN       uint32
	hasClientISN, hasServerISN bool
	clientFIN, serverFIN       bool

	head, tail []step
	left       int // steps between head and tail that were not kept

	place   *list.Element // in its class's list
	served  bool          // its class: it completed
	watched time.Time     // when a page last asked for its ladder
}

// add takes a step. Those of segments and of events come from two sources, each
// in order: a step that comes late goes to its place among the last ones.
func (c *connection) add(s step) {
	c.version++
	steps := &c.tail
	if c.left == 0 && len(c.tail) == 0 && len(c.head) < headSteps {
		steps = &c.head
	}
	i := len(*steps)
	for i > 0 && (*steps)[i-1].at.After(s.at) {
		i--
	}
	*steps = append(*steps, step{})
	copy((*steps)[i+1:], (*steps)[i:])
	(*steps)[i] = s
	if len(c.tail) >= 2*tailSteps {
		c.left += tailSteps
		c.tail = append(c.tail[:0], c.tail[tailSteps:]...)
	}
}

// note takes an event.
func (c *connection) note(e *listener.Event) {
	switch e.Kind {
	case handshake.SYNDropped, handshake.ACKDropped:
		c.drops++
	}
	if state, ok := states[e.Kind]; ok {
		c.state = state
	}
	c.add(step{at: e.Time, event: e})
}

// segment takes a segment.
func (c *connection) segment(s step) {
	switch {
	case s.flags.Has(segment.SYN) && s.inbound:
		c.clientISN, c.hasClientISN = s.seq, true
	case s.flags.Has(segment.SYN):
		c.serverISN, c.hasServerISN = s.seq, true
	case s.flags.Has(segment.RST) && !s.inbound && c.state == Arriving:
		c.state = Refused
	case s.flags.Has(segment.RST) && c.state == Accepted:
		c.state = WasReset
	}
	if s.flags.Has(segment.FIN) {
		if s.inbound {
			c.clientFIN = true
		} else {
			c.serverFIN = true
		}
		if c.clientFIN && c.serverFIN && c.state == Accepted {
			c.state = Closed
		}
	}
	c.add(s)
}

// summary is the connection as the list has it.
func (c *connection) summary() Summary {
	return Summary{
		ID: c.id, Client: c.tuple.Client(), Server: c.tuple.Server(), State: c.state,
		Began: c.began, Version: c.version, Drops: c.drops,
	}
}
