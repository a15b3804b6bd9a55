package handshake

import (
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// oowInterval is how often an entry's out-of-window segments are acknowledged
// at most (net.ipv4.tcp_invalid_ratelimit, 500 ms).
const oowInterval = 500 * time.Millisecond

// synReceived handles a segment of a half-open entry (RFC 9293 section
// 3.10.7.4 for SYN-RECEIVED, in the order of Linux' tcp_check_req).
func (m *Machine) synReceived(now time.Duration, e *Entry, s *segment.Segment, out *Output) {
	c := &e.Value
	next := c.IRS + 1 // RCV.NXT
	oldTimestamp := c.offered.has(offeredTimestamps) && s.Options.HasTimestamps &&
		!s.Flags.Has(segment.RST) && segment.Before(s.Options.TSVal, c.tsRecent)

	// The same SYN again: our SYN-ACK was lost or is late.
	if s.Flags&(segment.SYN|segment.ACK|segment.RST) == segment.SYN && s.Seq == c.IRS && !oldTimestamp {
		m.repeat(now, e, out)
		return
	}

	// An acknowledgment of something that we did not send. A RST is looked at
	// first, whatever it acknowledges (RFC 9293 section 3.10.7.4).
	if s.Flags.Has(segment.ACK) && !s.Flags.Has(segment.RST) && s.Ack != c.ISS+1 {
		m.refuse(s, out)
		return
	}

	if oldTimestamp || !segment.InWindow(s.Seq, s.Len(), next, uint32(m.promise(&c.Tuple).Window)) {
		if oldTimestamp {
			m.counters[PAWSEstab]++
		}
		if !s.Flags.Has(segment.RST) {
			m.acknowledgeOutOfWindow(now, e, s, out)
		}
		return
	}

	flags := s.Flags
	if s.Seq == c.IRS {
		flags &^= segment.SYN // it lies before the window: trimmed
	}
	switch {
	case flags.Has(segment.RST):
		if s.Seq != next {
			m.challenge(now, e, s, out)
			return
		}
		m.embryonicReset(now, e, out)
	case flags.Has(segment.SYN):
		m.sendResetFor(s, out)
		m.embryonicReset(now, e, out)
	case !flags.Has(segment.ACK):
		// Nothing to complete a handshake with.
	case c.offered.has(offeredTimestamps) && !s.Options.HasTimestamps:
		// RFC 7323 section 3.2: once agreed on, timestamps are in every segment.
		m.counters[PAWSEstab]++
	default:
		if s.Options.HasTimestamps && !segment.After(s.Seq, next) {
			c.tsRecent = s.Options.TSVal
		}
		if m.defers(now, e, s, out) {
			return
		}
		m.complete(now, e, s, out)
	}
}

// repeat answers the SYN of an entry that is there already. It takes no second
// place in the queue.
func (m *Machine) repeat(now time.Duration, e *Entry, out *Output) {
	m.counters[SYNsRepeated]++
	policy := m.queues.Profile().Repeat
	if policy.Interval > 0 && m.limited(now, e, policy.Interval) {
		return
	}
	m.counters[TCPSynRetrans]++
	m.sendSYNACK(now, e, out)
	if policy.Renew {
		m.queues.Renew(e)
	}
	if policy.Restart {
		stage := int(e.Value.stage)
		if policy.Renew {
			stage = 0
		}
		m.timers.stop(e)
		m.timers.start(now, e, stage)
	}
	m.noteEntry(now, SYNRepeated, e, e.Since, out)
}

// defers holds a bare ACK back while accept is deferred until data comes, and
// reports whether it did (TCP_DEFER_ACCEPT).
func (m *Machine) defers(now time.Duration, e *Entry, s *segment.Segment, out *Output) bool {
	if e.Retransmits() >= m.deferAccept() || s.Len() > 0 || s.Seq != e.Value.IRS+1 {
		return false
	}
	e.Value.offered |= deferred
	m.counters[TCPDeferAcceptDrop]++
	m.noteEntry(now, ACKDropped, e, e.Since, out).Decision = backlog.Decision{Verdict: backlog.Drop, Reason: backlog.Deferred}
	return true
}

// complete decides on a final ACK.
func (m *Machine) complete(now time.Duration, e *Entry, s *segment.Segment, out *Output) {
	decision := m.queues.FinalACK()
	since := e.Since
	switch decision.Verdict {
	case backlog.Promote:
		m.timers.stop(e)
		delete(m.half, e.Value.Tuple)
		m.queues.Promote(now, e)
		m.counters[PassiveOpens]++
		out.Adopt = e
		m.noteEntry(now, Promoted, e, since, out).Decision = decision
	case backlog.Park:
		m.timers.stop(e)
		delete(m.half, e.Value.Tuple)
		m.queues.Park(e)
		m.counters[PassiveOpens]++
		out.Adopt = e
		m.noteEntry(now, Parked, e, since, out).Decision = decision
	case backlog.Reset:
		m.drop(e)
		m.countDrop(decision.Reason)
		m.counters[EmbryonicRsts]++
		m.counters[TCPAbortOnOverflow]++
		m.sendResetFor(s, out)
		m.noteEntry(now, ACKReset, e, since, out).Decision = decision
	case backlog.Forget:
		m.drop(e)
		m.countDrop(decision.Reason)
		m.noteEntry(now, ACKForgotten, e, since, out).Decision = decision
	default:
		m.countDrop(decision.Reason)
		m.noteEntry(now, ACKDropped, e, since, out).Decision = decision
	}
}

// embryonicReset removes an entry whose client took the connection back.
func (m *Machine) embryonicReset(now time.Duration, e *Entry, out *Output) {
	m.drop(e)
	m.counters[EmbryonicRsts]++
	m.counters[AttemptFails]++
	m.noteEntry(now, Reset, e, e.Since, out)
}

// acknowledgeOutOfWindow answers an unacceptable segment with what we expect.
// Bare ACKs and SYNs get one answer in oowInterval, so that two confused peers
// do not keep each other busy (tcp_oow_rate_limited).
// It reports whether it did.
func (m *Machine) acknowledgeOutOfWindow(now time.Duration, e *Entry, s *segment.Segment, out *Output) bool {
	if (s.Len() == 0 || s.Flags.Has(segment.SYN)) && m.limited(now, e, oowInterval) {
		return false
	}
	m.sendACK(now, e, out)
	return true
}

// limited reports whether e was answered less than interval ago, and notes the
// answer if not.
func (m *Machine) limited(now time.Duration, e *Entry, interval time.Duration) bool {
	c := &e.Value
	if c.oowAck != 0 && now-c.oowAck < interval {
		m.counters[TCPACKSkippedSynRecv]++
		return true
	}
	c.oowAck = max(now, 1)
	return false
}

// challenge answers a RST that is inside the window but not exact, so that only
// a client that knows RCV.NXT resets (RFC 5961 section 3.2).
func (m *Machine) challenge(now time.Duration, e *Entry, s *segment.Segment, out *Output) {
	if m.acknowledgeOutOfWindow(now, e, s, out) {
		m.counters[TCPChallengeACK]++
	}
}
