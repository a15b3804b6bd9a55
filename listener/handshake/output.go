package handshake

import (
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// Output is what the machine wants done. The caller does it after each call
// and then clears it with Reset, which keeps the memory.
type Output struct {
	// Send are segments for the clients, in order.
	Send []segment.Segment
	// Adopt is the connection that the segment just handled completed: the TCP
	// behind takes over, that segment being its first. At most one a call.
	Adopt *Entry
	// Abort are connections that were handed over and are to be reset by the
	// TCP that has them.
	Abort []*Entry
	// Events are what happened, in order.
	Events []Event
}

// Reset empties o and keeps its memory.
func (o *Output) Reset() {
	clear(o.Abort)
	*o = Output{Send: o.Send[:0], Abort: o.Abort[:0], Events: o.Events[:0]}
}

// Kind is what happened to a connection.
type Kind uint8

// The kinds of events.
const (
	SYNAdmitted    Kind = iota // a SYN took a place in the incomplete queue
	SYNDropped                 // a SYN found no room and was ignored
	SYNRepeated                // the SYN of an entry came again
	CookieSent                 // a SYN was answered with a SYN cookie
	Retransmitted              // a SYN-ACK was sent again by its timer
	Expired                    // an entry was given up
	Evicted                    // an entry made room for a newer one
	ACKDropped                 // a final ACK was ignored, the entry stays
	ACKReset                   // a final ACK was answered with RST, the entry is gone
	ACKForgotten               // the entry went at its final ACK, silently
	Promoted                   // a connection came to the completed queue
	Parked                     // a connection is established but waits for room
	Accepted                   // the application took a connection
	Reset                      // the client reset its connection
	AdoptionFailed             // the TCP behind did not take a connection over
	Closed                     // the listening socket was closed over an entry
)

var kindNames = [...]string{
	"syn-admitted", "syn-dropped", "syn-repeated", "cookie-sent",
	"synack-retransmitted", "expired", "evicted",
	"ack-dropped", "ack-reset", "ack-forgotten",
	"promoted", "parked", "accepted", "reset", "adoption-failed", "closed",
}

// String is the kind in lower case with hyphens.
func (k Kind) String() string { return kindNames[k] }

// MarshalText makes the kind readable in JSON.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Kinds returns the names of all kinds.
func Kinds() []string { return append([]string(nil), kindNames[:]...) }

// Event is something that happened to a connection.
type Event struct {
	At          time.Duration // since the machine's epoch
	Kind        Kind
	Tuple       segment.Tuple
	Decision    backlog.Decision // of SYNs and final ACKs
	Counts      backlog.Counts   // after it
	Limits      backlog.Limits
	Profile     *backlog.Profile
	Retransmits int           // of the entry's SYN-ACK so far
	Waited      time.Duration // how long it was in the queue that it left
}

// note appends an event with the state of the queues as it is now.
func (m *Machine) note(now time.Duration, kind Kind, tuple segment.Tuple, out *Output) *Event {
	out.Events = append(out.Events, Event{
		At: now, Kind: kind, Tuple: tuple,
		Counts: m.queues.Counts(), Limits: m.queues.Limits(), Profile: m.queues.Profile(),
	})
	return &out.Events[len(out.Events)-1]
}

// noteEntry is note for an entry that left the queue it was in since since.
func (m *Machine) noteEntry(now time.Duration, kind Kind, e *Entry, since time.Duration, out *Output) *Event {
	event := m.note(now, kind, e.Value.Tuple, out)
	event.Retransmits, event.Waited = e.Retransmits(), now-since
	return event
}
