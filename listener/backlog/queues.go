package backlog

import "time"

// Place is where an entry is.
type Place uint8

// The places an entry can be at.
const (
	// Gone: in no queue.
	Gone Place = iota
	// Incomplete: in the incomplete queue, SYN-RECEIVED.
	Incomplete
	// Parked: the handshake is done, but the entry is still counted as
	// incomplete since the completed queue has no room.
	Parked
	// Completed: in the completed queue, ESTABLISHED.
	Completed
)

var placeNames = [...]string{"gone", "incomplete", "parked", "completed"}

// String is the place in lower case.
func (p Place) String() string { return placeNames[p] }

// MarshalText makes the place readable in JSON.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Entry is a connection in one of the queues, with what the owner of the queues
// keeps about it. Only Queues writes to Since, Retransmits and the place.
type Entry[V any] struct {
	Value V
	Since time.Duration // when it came to the queue it is in

	prev, next  *Entry[V]
	retransmits uint8
	place       Place
}

// Place is the queue that the entry is in.
func (e *Entry[V]) Place() Place { return e.place }

// Retransmits is how often the entry's SYN-ACK was sent again.
func (e *Entry[V]) Retransmits() int { return int(e.retransmits) }

// Queues are the incomplete and the completed queue of one listening socket
// under one profile. Not safe for concurrent use.
type Queues[V any] struct {
	profile *Profile
	limits  Limits

	incomplete list[V] // in order of arrival; parked ones too
	completed  list[V] // in order of completion
	young      int
	parked     int
}

// NewQueues makes empty queues with the limits that profile makes of settings.
func NewQueues[V any](profile *Profile, settings Settings) *Queues[V] {
	return &Queues[V]{profile: profile, limits: profile.Limits(settings)}
}

// Configure changes profile and settings as a second listen(2) does: what is
// queued stays, and nothing is admitted until it fits.
func (q *Queues[V]) Configure(profile *Profile, settings Settings) {
	q.profile, q.limits = profile, profile.Limits(settings)
}

// Profile is the profile in force.
func (q *Queues[V]) Profile() *Profile { return q.profile }

// Limits are the limits in force.
func (q *Queues[V]) Limits() Limits { return q.limits }

// Counts are the lengths of the queues.
func (q *Queues[V]) Counts() Counts {
	return Counts{Incomplete: q.incomplete.length, Completed: q.completed.length, Young: q.young}
}

// SYN decides on a SYN that belongs to no entry. It changes nothing: the caller
// follows the verdict with Admit.
func (q *Queues[V]) SYN() Decision { return q.profile.AtSYN(q.Counts(), q.limits) }

// Reopen decides on a SYN that opens a new connection on the tuple of one in
// TIME-WAIT. It changes nothing, as SYN.
func (q *Queues[V]) Reopen() Decision {
	if q.profile.AtReopen == nil {
		return q.SYN()
	}
	return q.profile.AtReopen(q.Counts(), q.limits)
}

// Admit adds an entry at the end of the incomplete queue.
func (q *Queues[V]) Admit(now time.Duration, value V) *Entry[V] {
	e := &Entry[V]{Value: value, Since: now, place: Incomplete}
	q.incomplete.pushBack(e)
	q.young++
	return e
}

// FinalACK decides on the segment that completes e's handshake. It changes
// nothing: the caller follows the verdict with Promote, Park or Remove.
func (q *Queues[V]) FinalACK() Decision { return q.profile.AtFinalACK(q.Counts(), q.limits) }

// Promote moves e from the incomplete to the end of the completed queue.
func (q *Queues[V]) Promote(now time.Duration, e *Entry[V]) {
	q.Remove(e)
	e.place, e.Since = Completed, now
	q.completed.pushBack(e)
}

// Park marks e as established while it stays counted as incomplete.
func (q *Queues[V]) Park(e *Entry[V]) {
	q.grown(e)
	e.place = Parked
	q.parked++
}

// Unpark promotes the oldest parked entry if the profile's rule at the final
// ACK has room for it now, and returns it with the time since which it waited.
func (q *Queues[V]) Unpark(now time.Duration) (e *Entry[V], since time.Duration) {
	if q.parked == 0 || q.FinalACK().Verdict != Promote {
		return nil, 0
	}
	for e := q.incomplete.front; e != nil; e = e.next {
		if e.place == Parked {
			since := e.Since
			q.Promote(now, e)
			return e, since
		}
	}
	return nil, 0
}

// Retransmitted notes that e's SYN-ACK was sent again.
func (q *Queues[V]) Retransmitted(e *Entry[V]) {
	q.grown(e)
	if e.retransmits < 255 {
		e.retransmits++
	}
}

// Renew makes e as young as a new entry (syncache_respond resets its count).
func (q *Queues[V]) Renew(e *Entry[V]) {
	if e.place == Incomplete && e.retransmits > 0 {
		e.retransmits = 0
		q.young++
	}
}

// grown takes e out of the count of young entries before it stops being one.
func (q *Queues[V]) grown(e *Entry[V]) {
	if e.place == Incomplete && e.retransmits == 0 {
		q.young--
	}
}

// Remove takes e out of the queue it is in.
func (q *Queues[V]) Remove(e *Entry[V]) {
	switch e.place {
	case Incomplete:
		q.grown(e)
		q.incomplete.remove(e)
	case Parked:
		q.parked--
		q.incomplete.remove(e)
	case Completed:
		q.completed.remove(e)
	}
	e.place = Gone
}

// OldestIncomplete is the entry that has been half-open longest, nil if there
// is none. Parked entries are not half-open.
func (q *Queues[V]) OldestIncomplete() *Entry[V] {
	for e := q.incomplete.front; e != nil; e = e.next {
		if e.place == Incomplete {
			return e
		}
	}
	return nil
}

// FirstCompleted is the connection that accept would take next, nil if there is
// none.
func (q *Queues[V]) FirstCompleted() *Entry[V] { return q.completed.front }

// Oldest visits the first limit entries of the incomplete queue and then those
// of the completed queue, each in order, and no others however long they are.
func (q *Queues[V]) Oldest(limit int, visit func(*Entry[V])) {
	for _, l := range []*list[V]{&q.incomplete, &q.completed} {
		for e, n := l.front, 0; e != nil && n < limit; e, n = e.next, n+1 {
			visit(e)
		}
	}
}

// Each visits the entries of the incomplete queue and then those of the
// completed queue, each in order, until visit returns false.
func (q *Queues[V]) Each(visit func(*Entry[V]) bool) {
	for _, l := range []*list[V]{&q.incomplete, &q.completed} {
		for e := l.front; e != nil; {
			next := e.next
			if !visit(e) {
				return
			}
			e = next
		}
	}
}
