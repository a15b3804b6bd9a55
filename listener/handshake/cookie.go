package handshake

import (
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// A SYN cookie is an initial sequence number that holds what a stored entry
// would (RFC 4987 section 3.6), laid out as Linux does (net/ipv4/syncookies.c):
//
//	cookie = hash(tuple) + IRS + minute<<24 + (hash(tuple, minute) + index) mod 2^24
//
// index is into a table of MSS values. Window scale and SACK travel in the low
// bits of our timestamp, if the client offers timestamps, and are lost if not.

const (
	cookieMinute = time.Minute
	cookieAge    = 2 // in how many minutes a cookie is valid (MAX_SYNCOOKIE_AGE)
	cookieBits   = 24
	cookieMask   = 1<<cookieBits - 1
)

// cookieMSS are the MSS values that a cookie can hold, ascending: a client's is
// rounded down to one of them (msstab of Linux).
var (
	cookieMSS4 = []uint16{536, 1300, 1440, 1460}
	cookieMSS6 = []uint16{1220, 1420, 1440, 8940}
)

// The low bits of a cookie's TSval (cookie_init_timestamp).
const (
	tsScaleMask = 0x0f // the client's window scale; all ones is none
	tsSACK      = 0x10
	tsBits      = 6
	tsMask      = 1<<tsBits - 1
)

func cookieMSS(tuple *segment.Tuple) []uint16 {
	if tuple.Is4() {
		return cookieMSS4
	}
	return cookieMSS6
}

// sendCookie answers a SYN without storing anything.
func (m *Machine) sendCookie(now time.Duration, s *segment.Segment, decision backlog.Decision, out *Output) {
	c := fromSYN(s, m.promise(&s.Tuple))
	e := Entry{Value: c}
	e.Value.ISS = m.cookie(now, &c)
	if c.offered.has(offeredTimestamps) {
		e.Value.tsOffset = m.cookieTimestamp(now, &c) - uint32(now/time.Millisecond)
	} else {
		e.Value.offered &^= offeredScale | offeredSACK // nowhere to keep them
	}
	m.sendSYNACK(now, &e, out)
	m.cookiesUntil = now + cookieAge*cookieMinute
	m.counters[SyncookiesSent]++
	m.note(now, CookieSent, s.Tuple, out).Decision = decision
}

// cookie is the initial sequence number that stands for c.
func (m *Machine) cookie(now time.Duration, c *Connection) uint32 {
	index := uint32(0)
	for i, mss := range cookieMSS(&c.Tuple) {
		if mss <= c.mss {
			index = uint32(i)
		}
	}
	minute := uint32(now / cookieMinute)
	return m.cookieBase(&c.Tuple, c.IRS) + minute<<cookieBits + (m.cookieHash(&c.Tuple, minute)+index)&cookieMask
}

func (m *Machine) cookieBase(tuple *segment.Tuple, irs uint32) uint32 {
	return uint32(m.key.hash(tuple, purposeCookie)) + irs
}

func (m *Machine) cookieHash(tuple *segment.Tuple, minute uint32) uint32 {
	return uint32(m.key.hash(tuple, purposeCookieMinute+uint64(minute&0xff)))
}

// cookieTimestamp is the TSval of a cookie: our clock, its low bits replaced,
// and never ahead of the clock.
func (m *Machine) cookieTimestamp(now time.Duration, c *Connection) uint32 {
	options := uint32(tsScaleMask)
	if c.offered.has(offeredScale) {
		options = uint32(c.scale)
	}
	if c.offered.has(offeredSACK) {
		options |= tsSACK
	}
	clock := uint32(now / time.Millisecond)
	ts := clock&^uint32(tsMask) | options
	if segment.After(ts, clock) {
		ts -= 1 << tsBits
	}
	return ts + m.key.timestampOffset(&c.Tuple)
}

// awaitsCookie reports whether a segment is looked at for a cookie at all: one
// was sent a short while ago, and s can bring it back.
func (m *Machine) awaitsCookie(now time.Duration, s *segment.Segment) bool {
	return m.queues.Profile().Cookies && m.queues.Limits().Syncookies != 0 && now < m.cookiesUntil &&
		s.Flags.Has(segment.ACK) && !s.Flags.Any(segment.SYN|segment.RST)
}

// HoldsCookie reports whether s brings back a SYN cookie of ours, so that it is
// for Segment although no entry has its tuple.
func (m *Machine) HoldsCookie(now time.Duration, s *segment.Segment) bool {
	if !m.awaitsCookie(now, s) {
		return false
	}
	_, ok := m.fromCookie(now, s)
	return ok
}

// cookieACK handles an ACK in LISTEN that may bring a cookie back, and reports
// whether it dealt with it. With the completed queue full, the ACK is dropped:
// the client sends it again with its data.
func (m *Machine) cookieACK(now time.Duration, s *segment.Segment, out *Output) bool {
	if !m.awaitsCookie(now, s) {
		return false
	}
	c, ok := m.fromCookie(now, s)
	if !ok {
		m.counters[SyncookiesFailed]++
		return false
	}
	m.counters[SyncookiesRecv]++
	decision := m.queues.FinalACK()
	if decision.Verdict != backlog.Promote {
		m.countDrop(decision.Reason)
		m.note(now, ACKDropped, s.Tuple, out).Decision = decision
		return true
	}
	e := m.queues.Admit(now, c)
	m.queues.Promote(now, e)
	m.counters[PassiveOpens]++
	out.Adopt = e
	m.noteEntry(now, Promoted, e, now, out).Decision = decision
	return true
}

// fromCookie makes a connection of the cookie that an ACK acknowledges.
func (m *Machine) fromCookie(now time.Duration, s *segment.Segment) (Connection, bool) {
	c := Connection{Tuple: s.Tuple, ISS: s.Ack - 1, IRS: s.Seq - 1, window: s.Window, offered: offeredMSS}
	rest := c.ISS - m.cookieBase(&c.Tuple, c.IRS)
	minute := uint32(now / cookieMinute)
	age := (minute - rest>>cookieBits) & 0xff
	if age >= cookieAge {
		return c, false
	}
	index := (rest - m.cookieHash(&c.Tuple, minute-age)) & cookieMask
	table := cookieMSS(&c.Tuple)
	if index >= uint32(len(table)) {
		return c, false
	}
	c.mss = table[index]
	if s.Options.HasTimestamps {
		c.offered |= offeredTimestamps
		c.tsRecent = s.Options.TSVal
		c.tsOffset = m.key.timestampOffset(&c.Tuple)
		options := s.Options.TSEcr - c.tsOffset
		if options&tsSACK != 0 {
			c.offered |= offeredSACK
		}
		if scale := options & tsScaleMask; scale != tsScaleMask {
			c.offered |= offeredScale
			c.scale = uint8(scale)
		}
	}
	return c, true
}
