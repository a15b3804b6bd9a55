package handshake

import (
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// listen handles a segment in the LISTEN state (RFC 9293 section 3.10.7.2).
func (m *Machine) listen(now time.Duration, s *segment.Segment, out *Output) {
	switch {
	case s.Flags.Has(segment.RST):
		// First: a RST is ignored.
	case m.invalidAddress(s):
		m.counters[InvalidSource]++
	case s.Flags.Has(segment.ACK):
		// Second: any acknowledgment is bad in LISTEN, but that of a SYN cookie.
		if !m.cookieACK(now, s, out) {
			m.refuse(s, out)
		}
	case s.Flags.Has(segment.SYN | segment.FIN):
		// Nobody opens and closes at once; Linux drops it, and so do we.
	case s.Flags.Has(segment.SYN):
		m.arrive(now, s, m.queues.SYN(), nil, out)
	}
}

// arrive does with a SYN as was decided (third in RFC 9293 section 3.10.7.2; the
// order of tcp_conn_request). Data on it is not kept: only the SYN is
// acknowledged. sndNxt is that of the connection in TIME-WAIT that the SYN
// reopens, nil if it reopens none.
func (m *Machine) arrive(now time.Duration, s *segment.Segment, decision backlog.Decision, sndNxt *uint32, out *Output) {
	m.counters[SYNsReceived]++
	var victim *Entry
	if decision.Verdict == backlog.Evict {
		if victim = m.queues.OldestIncomplete(); victim == nil {
			decision.Verdict = backlog.Drop // all are parked: established, and not to be taken back
		}
	}
	if decision.Cookie {
		m.counters[TCPReqQFullDoCookies]++
	}
	switch decision.Verdict {
	case backlog.Evict:
		m.drop(victim)
		m.counters[EvictedEntries]++
		m.noteEntry(now, Evicted, victim, victim.Since, out)
		fallthrough
	case backlog.Admit:
		m.admit(now, s, decision, sndNxt, out)
	case backlog.Cookie:
		m.sendCookie(now, s, decision, out)
	default:
		m.counters[SYNsDropped]++
		m.countDrop(decision.Reason)
		m.note(now, SYNDropped, s.Tuple, out).Decision = decision
	}
}

// admit makes an incomplete entry of a SYN and answers it.
func (m *Machine) admit(now time.Duration, s *segment.Segment, decision backlog.Decision, sndNxt *uint32, out *Output) {
	c := fromSYN(s, m.promise(&s.Tuple))
	c.ISS = m.key.isn(now, &s.Tuple)
	if sndNxt != nil && !segment.After(c.ISS, *sndNxt) {
		c.ISS = *sndNxt + isnGap
	}
	if c.offered.has(offeredTimestamps) {
		c.tsOffset = m.key.timestampOffset(&s.Tuple)
	}
	e := m.queues.Admit(now, c)
	m.half[s.Tuple] = e
	m.timers.start(now, e, 0)
	m.sendSYNACK(now, e, out)
	m.note(now, SYNAdmitted, s.Tuple, out).Decision = decision
}

// countDrop counts a SYN or final ACK that a full queue dropped.
func (m *Machine) countDrop(reason backlog.Reason) {
	m.counters[ListenDrops]++
	switch reason {
	case backlog.TotalFull, backlog.CompletedFull:
		m.counters[ListenOverflows]++
	case backlog.IncompleteFull:
		m.counters[TCPReqQFullDrop]++
	}
}
