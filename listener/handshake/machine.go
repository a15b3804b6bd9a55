package handshake

import (
	"net/netip"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// Config is what a Machine starts with.
type Config struct {
	Profile  *backlog.Profile
	Settings backlog.Settings

	// Promise4 and Promise6 are what SYN-ACKs offer over IPv4 and IPv6.
	Promise4, Promise6 segment.Promise
	// Key is secret and different on each start.
	Key Key
	// Subnets are the endpoint's own addresses with their networks: a SYN from
	// one of these addresses, or from a network's broadcast address, is invalid.
	Subnets []netip.Prefix
}

// Machine is one listening socket: LISTEN, its two queues and the SYN-RECEIVED
// state of each incomplete entry. Not safe for concurrent use.
type Machine struct {
	queues   *backlog.Queues[Connection]
	half     map[segment.Tuple]*Entry // the incomplete entries, parked ones excepted
	timers   timers
	counters Counters

	promise4, promise6 segment.Promise
	key                Key
	subnets            []netip.Prefix
	cookiesUntil       time.Duration // until when a SYN cookie can come back
}

// New makes a machine with empty queues.
func New(cfg Config) *Machine {
	m := &Machine{
		queues:   backlog.NewQueues[Connection](cfg.Profile, cfg.Settings),
		half:     make(map[segment.Tuple]*Entry),
		promise4: cfg.Promise4,
		promise6: cfg.Promise6,
		key:      cfg.Key,
		subnets:  append([]netip.Prefix(nil), cfg.Subnets...),
	}
	m.timers.configure(cfg.Profile.Schedule)
	return m
}

// Configure changes profile and settings as a second listen(2) does: nothing
// that is queued is lost, and nothing new is admitted until it fits.
func (m *Machine) Configure(now time.Duration, profile *backlog.Profile, settings backlog.Settings, out *Output) {
	m.queues.Configure(profile, settings)
	m.timers.configure(profile.Schedule)
	m.unpark(now, out)
}

// Owns reports whether tuple has a half-open entry, so that its segments are
// for Segment and for nobody else.
func (m *Machine) Owns(tuple segment.Tuple) bool {
	_, ok := m.half[tuple]
	return ok
}

// Segment handles a segment that belongs to no connection that was handed over.
// s must be well-formed, its checksums right.
func (m *Machine) Segment(now time.Duration, s *segment.Segment, out *Output) {
	if e := m.half[s.Tuple]; e != nil {
		m.synReceived(now, e, s, out)
		return
	}
	m.listen(now, s, out)
}

// Reopen handles a SYN on the tuple of a connection in TIME-WAIT that may open a
// new one: the first such SYN, the caller has forgotten the old connection for a
// later one. sndNxt is the old connection's SND.NXT: the new initial sequence
// number is beyond it (RFC 9293 section 3.10.7.4).
func (m *Machine) Reopen(now time.Duration, s *segment.Segment, sndNxt uint32, out *Output) {
	if m.half[s.Tuple] != nil || m.invalidAddress(s) || s.Flags.Has(segment.FIN) {
		m.Segment(now, s, out)
		return
	}
	m.arrive(now, s, m.queues.Reopen(), &sndNxt, out)
}

// NextDeadline is when Tick has to be called next; false if no timer runs.
func (m *Machine) NextDeadline() (time.Duration, bool) {
	if e := m.timers.next(); e != nil {
		return e.Value.deadline, true
	}
	return 0, false
}

// Tick fires the timers that are due at now: at most limit of them, so that a
// caller with a lock can let others in between.
func (m *Machine) Tick(now time.Duration, limit int, out *Output) {
	for range limit {
		e := m.timers.next()
		if e == nil || e.Value.deadline > now {
			return
		}
		m.counters[TCPTimeouts]++
		expire, resend := m.recalculate(e)
		if expire {
			m.expire(now, e, out)
			continue
		}
		m.timers.advance(now, e)
		m.queues.Retransmitted(e)
		if resend {
			m.counters[TCPSynRetrans]++
			m.sendSYNACK(now, e, out)
			m.noteEntry(now, Retransmitted, e, e.Since, out)
		}
	}
}

// recalculate decides what an entry's timer does (syn_ack_recalc). An entry
// whose accept is deferred is silent, and lives, until the last chance for data
// or another ACK.
func (m *Machine) recalculate(e *Entry) (expire, resend bool) {
	profile := m.queues.Profile()
	tries := e.Retransmits()
	expire = m.timers.last(e)
	if profile.Patience != nil {
		expire = expire || tries >= profile.Patience(m.timers.retransmissions(), m.queues.Counts(), m.queues.Limits())
	}
	if deferAccept := m.deferAccept(); deferAccept > 0 && e.Value.offered.has(deferred) {
		return expire && tries >= deferAccept, tries >= deferAccept-1
	}
	return expire, true
}

// deferAccept is for how many timeouts a bare ACK completes nothing
// (TCP_DEFER_ACCEPT), 0 where the profile does not know of it.
func (m *Machine) deferAccept() int {
	if !m.queues.Profile().Defers {
		return 0
	}
	return m.queues.Limits().DeferAccept
}

// expire gives an entry up (tcp_drop after TCPTV_KEEP_INIT in Berkeley-derived
// systems; reqsk_timer_handler in Linux).
func (m *Machine) expire(now time.Duration, e *Entry, out *Output) {
	m.drop(e)
	m.counters[ExpiredEntries]++
	if m.queues.Profile().Schedule.ResetOnExpire {
		m.sendReset(e, out)
	}
	m.noteEntry(now, Expired, e, e.Since, out)
}

// drop removes a half-open entry.
func (m *Machine) drop(e *Entry) {
	m.timers.stop(e)
	delete(m.half, e.Value.Tuple)
	m.queues.Remove(e)
}

// Completed is the connection that accept takes next, nil if there is none.
func (m *Machine) Completed() *Entry { return m.queues.FirstCompleted() }

// Accept takes a completed connection out of its queue.
func (m *Machine) Accept(now time.Duration, e *Entry, out *Output) {
	since := e.Since
	m.queues.Remove(e)
	m.counters[Accepts]++
	m.noteEntry(now, Accepted, e, since, out)
	m.unpark(now, out)
}

// Ended reports that a connection which was handed over is no more, by the
// client's RST or by a timeout of its own. One that is still queued leaves the
// queue, unless the profile keeps it for accept. It returns whether the
// connection is still queued.
func (m *Machine) Ended(now time.Duration, e *Entry, out *Output) (queued bool) {
	if e.Place() != backlog.Completed && e.Place() != backlog.Parked {
		return false
	}
	m.counters[ResetsQueued]++
	if m.queues.Profile().KeepReset && e.Place() == backlog.Completed {
		m.noteEntry(now, Reset, e, e.Since, out)
		return true
	}
	m.queues.Remove(e)
	m.noteEntry(now, Reset, e, e.Since, out)
	m.unpark(now, out)
	return false
}

// AdoptionFailed reports that the TCP behind did not take e over. The client
// believes that it is connected, so it is told with a RST.
func (m *Machine) AdoptionFailed(now time.Duration, e *Entry, out *Output) {
	if e.Place() == backlog.Gone {
		return
	}
	m.queues.Remove(e)
	m.counters[AdoptionsFailed]++
	m.sendReset(e, out)
	m.noteEntry(now, AdoptionFailed, e, e.Since, out)
	m.unpark(now, out)
}

// Abort ends a connection of Output.Abort that the TCP behind did not take over.
func (m *Machine) Abort(e *Entry, out *Output) { m.sendReset(e, out) }

// Close empties both queues. Connections that were handed over are aborted,
// which sends their clients a RST; half-open entries go as the profile says.
func (m *Machine) Close(now time.Duration, out *Output) {
	resetHalfOpen := m.queues.Profile().ResetOnClose
	m.queues.Each(func(e *Entry) bool {
		if e.Place() == backlog.Incomplete {
			m.drop(e)
			if resetHalfOpen {
				m.sendReset(e, out)
			}
		} else {
			m.queues.Remove(e)
			out.Abort = append(out.Abort, e)
		}
		m.noteEntry(now, Closed, e, e.Since, out)
		return true
	})
}

// unpark lets parked connections into the completed queue as far as there is
// room.
func (m *Machine) unpark(now time.Duration, out *Output) {
	for e, since := m.queues.Unpark(now); e != nil; e, since = m.queues.Unpark(now) {
		m.noteEntry(now, Promoted, e, since, out)
	}
}

// Counters are the counters' values since the start.
func (m *Machine) Counters() *Counters { return &m.counters }

// Queues are the lengths of both queues and their limits.
func (m *Machine) Queues() (backlog.Counts, backlog.Limits, *backlog.Profile) {
	return m.queues.Counts(), m.queues.Limits(), m.queues.Profile()
}

// Each visits the entries of the incomplete and then of the completed queue, in
// order, until visit returns false.
func (m *Machine) Each(visit func(*Entry) bool) { m.queues.Each(visit) }

// Oldest visits the first limit entries of each queue, those of the incomplete
// one first.
func (m *Machine) Oldest(limit int, visit func(*Entry)) { m.queues.Oldest(limit, visit) }

// promise is what a SYN-ACK to the client of tuple offers.
func (m *Machine) promise(tuple *segment.Tuple) *segment.Promise {
	if tuple.Is4() {
		return &m.promise4
	}
	return &m.promise6
}
