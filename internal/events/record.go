package events

import (
	"fmt"
	"net/netip"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// Record is an event as it is shown: a line of text, or a JSON object a line.
// It is made to be read by other programs; fields are added, never changed.
type Record struct {
	Time   time.Time      `json:"time"`   // wall clock, UTC
	Kind   string         `json:"kind"`   // one of handshake.Kinds, "syn-dropped"
	Event  string         `json:"event"`  // the same in words, "SYN dropped"
	Client netip.AddrPort `json:"client"` // the connecting side
	Server netip.AddrPort `json:"server"` // the listening side

	// Verdict is what the profile decided on the SYN or final ACK; absent where
	// there was nothing to decide.
	Verdict string `json:"verdict,omitempty"`
	Reason  string `json:"reason"` // why, in words, with the queues' lengths

	Incomplete int    `json:"incomplete"`      // length of the incomplete queue after the event
	Completed  int    `json:"completed"`       // length of the completed queue after the event
	Bound      int    `json:"bound,omitempty"` // the most that fits, where the verdict compared with it
	Profile    string `json:"profile"`
	Backlog    int    `json:"backlog"` // as given to listen(2)

	Retransmits int   `json:"retransmits"` // of the connection's SYN-ACK so far
	WaitedUS    int64 `json:"waited_us"`   // microseconds in the queue that it left, or still is in

	// Lost is the number of events before this one that were not delivered,
	// because whoever reads them is too slow.
	Lost uint64 `json:"lost,omitempty"`
}

// NewRecord makes the record of an event.
func NewRecord(e *Event) Record {
	r := Record{
		Time:        e.Time.UTC(),
		Kind:        e.Kind.String(),
		Event:       e.Words(),
		Client:      e.Tuple.Client(),
		Server:      e.Tuple.Server(),
		Reason:      e.Reason(),
		Incomplete:  e.Counts.Incomplete,
		Completed:   e.Counts.Completed,
		Profile:     e.Profile.Name,
		Backlog:     e.Limits.Backlog,
		Retransmits: e.Retransmits,
		WaitedUS:    e.Waited.Microseconds(),
		Lost:        e.Lost,
	}
	switch e.Kind {
	case handshake.SYNAdmitted, handshake.SYNDropped, handshake.CookieSent,
		handshake.ACKDropped, handshake.ACKReset, handshake.ACKForgotten, handshake.Parked:
		r.Verdict, r.Bound = e.Decision.Verdict.String(), e.Decision.Bound
	case handshake.Promoted: // at its final ACK, or later when it was parked
		r.Verdict = backlog.Promote.String()
	}
	return r
}

// TextTime is the time of day in a line of text, for time.Time.Format.
const TextTime = "15:04:05.000000"

// Text is the record in a line, in local time: "12:00:01.123456
// 192.0.2.1:40001  SYN dropped: 13 of 13 queued …". The server is shown where
// several ports have to be told apart. A loss is a line of its own before it.
func (r *Record) Text(showServer bool) string {
	at := r.Time.Local().Format(TextTime)
	who := r.Client.String()
	if showServer {
		who += " > " + r.Server.String()
	}
	return r.lossText(at) + fmt.Sprintf("%s  %s  %s: %s", at, who, r.Event, r.Reason)
}

// lossText is the line of a loss, if there was one.
func (r *Record) lossText(at string) string {
	if r.Lost == 0 {
		return ""
	}
	return fmt.Sprintf("%s  (%d events not shown: the reader is too slow)\n", at, r.Lost)
}
