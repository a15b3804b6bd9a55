package listener

import (
	"fmt"
	"time"

	"tcplab/listener/handshake"
)

// Event is something that happened to a connection of a listener, with the wall
// clock time.
type Event struct {
	Time time.Time
	handshake.Event
}

// Reason says why it happened, in words, with the lengths of both queues and
// the rule in force: "13 of 13 queued (incomplete 0, completed 13), bsd,
// backlog 8".
func (e *Event) Reason() string {
	rule := fmt.Sprintf("%s, backlog %d", e.Profile.Name, e.Limits.Backlog)
	lengths := fmt.Sprintf("incomplete %d, completed %d", e.Counts.Incomplete, e.Counts.Completed)
	switch e.Kind {
	case handshake.SYNDropped, handshake.ACKDropped, handshake.ACKReset, handshake.ACKForgotten, handshake.CookieSent, handshake.Parked:
		return e.Decision.Words(e.Counts) + ", " + rule
	case handshake.Retransmitted:
		return fmt.Sprintf("no final ACK after %v, sent %d times now (%s)", rounded(e.Waited), e.Retransmits+1, lengths)
	case handshake.Expired:
		return fmt.Sprintf("no final ACK after %v and %d retransmissions (%s), %s", rounded(e.Waited), e.Retransmits, lengths, e.Profile.Name)
	case handshake.Accepted:
		return fmt.Sprintf("waited %v (%s)", rounded(e.Waited), lengths)
	}
	return lengths
}

// rounded keeps three digits of a duration, which is what a reader takes in.
func rounded(d time.Duration) time.Duration {
	for unit := time.Second; unit >= time.Microsecond; unit /= 10 {
		if d >= 100*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Microsecond)
}

// what names an event in the words of the trade.
var what = map[handshake.Kind]string{
	handshake.SYNAdmitted:    "SYN admitted",
	handshake.SYNDropped:     "SYN dropped",
	handshake.SYNRepeated:    "SYN repeated",
	handshake.CookieSent:     "SYN cookie sent",
	handshake.Retransmitted:  "SYN-ACK sent again",
	handshake.Expired:        "expired",
	handshake.Evicted:        "evicted",
	handshake.ACKDropped:     "final ACK dropped",
	handshake.ACKReset:       "final ACK reset",
	handshake.ACKForgotten:   "final ACK forgotten",
	handshake.Promoted:       "promoted",
	handshake.Parked:         "parked",
	handshake.Accepted:       "accepted",
	handshake.Reset:          "reset by client",
	handshake.AdoptionFailed: "adoption failed",
	handshake.Closed:         "closed",
}

// Words is what happened, without the reason: "SYN dropped".
func (e *Event) Words() string { return what[e.Kind] }

// String is the event in a line: "192.0.2.1:40001 SYN dropped: 13 of 13 queued …".
func (e *Event) String() string {
	return fmt.Sprintf("%v %s: %s", e.Tuple.Client(), e.Words(), e.Reason())
}
