package backlog

import "fmt"

// Verdict is what a rule decides about a SYN or a final ACK.
type Verdict uint8

// The verdicts.
const (
	// Drop ignores the segment; the peer's TCP sends it again. At the final ACK
	// the entry stays incomplete.
	Drop Verdict = iota
	// Admit gives a SYN a place in the incomplete queue.
	Admit
	// Evict gives a SYN the place of the oldest incomplete entry, which is
	// forgotten without a segment.
	Evict
	// Cookie answers a SYN with a SYN cookie and stores nothing (RFC 4987
	// section 3.6).
	Cookie
	// Promote moves an entry to the completed queue.
	Promote
	// Park establishes the connection but leaves it counted as incomplete until
	// the completed queue has room.
	Park
	// Reset answers a final ACK with RST and deletes the entry.
	Reset
	// Forget deletes the entry at its final ACK and says nothing.
	Forget
)

var verdictNames = [...]string{"drop", "admit", "evict", "cookie", "promote", "park", "reset", "forget"}

// String is the verdict in lower case.
func (v Verdict) String() string { return verdictNames[v] }

// MarshalText makes the verdict readable in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Reason says which limit a verdict rests on.
type Reason uint8

// The reasons.
const (
	// Room: no limit was reached.
	Room Reason = iota
	// TotalFull: incomplete + completed has reached its bound.
	TotalFull
	// CompletedFull: the completed queue has reached its bound.
	CompletedFull
	// IncompleteFull: the incomplete queue has reached its bound.
	IncompleteFull
	// KeptForProven: the last quarter of max_syn_backlog is kept for peers that
	// have proved to be alive (tcp_conn_request).
	KeptForProven
	// AlwaysCookies: SYN cookies are sent unconditionally (tcp_syncookies = 2).
	AlwaysCookies
	// TimeWait: the SYN reopens a connection in TIME-WAIT, so its client is real
	// and no limit of the incomplete queue holds it back (tcp_conn_request).
	TimeWait
	// Deferred: a bare ACK does not complete a connection under
	// TCP_DEFER_ACCEPT.
	Deferred
)

// Decision is a verdict with its reason. Have is the length that was compared
// with Bound, the most that fits; Bound is 0 where nothing was compared.
type Decision struct {
	Verdict Verdict
	Reason  Reason
	Have    int
	Bound   int
	// Cookie says that a SYN cookie was wanted, whether or not one is sent: the
	// completed queue may be full, too.
	Cookie bool
}

// Words says why, for people: "13 of 13 queued (incomplete 0, completed 13)".
// counts are those at the time of the decision.
func (d Decision) Words(counts Counts) string {
	lengths := fmt.Sprintf("(incomplete %d, completed %d)", counts.Incomplete, counts.Completed)
	switch d.Reason {
	case TotalFull:
		return fmt.Sprintf("%d of %d queued %s", d.Have, d.Bound, lengths)
	case CompletedFull:
		return fmt.Sprintf("completed queue full, %d of %d %s", d.Have, d.Bound, lengths)
	case IncompleteFull:
		return fmt.Sprintf("incomplete queue full, %d of %d %s", d.Have, d.Bound, lengths)
	case KeptForProven:
		return fmt.Sprintf("incomplete queue at %d of %d, the rest is kept for proven peers %s", d.Have, d.Bound, lengths)
	case AlwaysCookies:
		return "SYN cookies are always on " + lengths
	case TimeWait:
		return "reopens a connection in TIME-WAIT " + lengths
	case Deferred:
		return "bare ACK, accept is deferred until data comes " + lengths
	}
	return "room " + lengths
}
