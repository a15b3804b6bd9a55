package handshake

import (
	"time"

	"tcplab/listener/segment"
)

// sendSYNACK answers an entry's SYN: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, with
// the options that the client offered and the TCP behind will keep.
func (m *Machine) sendSYNACK(now time.Duration, e *Entry, out *Output) {
	c := &e.Value
	promise := m.promise(&c.Tuple)
	out.Send = append(out.Send, segment.Segment{
		Tuple:  c.Tuple,
		Seq:    c.ISS,
		Ack:    c.IRS + 1,
		Flags:  segment.SYN | segment.ACK,
		Window: promise.Window,
		Options: segment.Options{
			MSS:            promise.MSS,
			HasMSS:         true,
			WindowScale:    promise.WindowScale,
			HasWindowScale: c.offered.has(offeredScale),
			SACKPermitted:  c.offered.has(offeredSACK),
			HasTimestamps:  c.offered.has(offeredTimestamps),
			TSVal:          c.tsval(now),
			TSEcr:          c.tsRecent,
		},
	})
}

// sendACK says where the entry stands: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
func (m *Machine) sendACK(now time.Duration, e *Entry, out *Output) {
	c := &e.Value
	promise := m.promise(&c.Tuple)
	window := promise.Window
	if c.offered.has(offeredScale) {
		window >>= promise.WindowScale
	}
	out.Send = append(out.Send, segment.Segment{
		Tuple:  c.Tuple,
		Seq:    c.ISS + 1,
		Ack:    c.IRS + 1,
		Flags:  segment.ACK,
		Window: window,
		Options: segment.Options{
			HasTimestamps: c.offered.has(offeredTimestamps),
			TSVal:         c.tsval(now),
			TSEcr:         c.tsRecent,
		},
	})
}

// sendReset ends an entry from our side: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>
// (tcp_drop).
func (m *Machine) sendReset(e *Entry, out *Output) {
	m.counters[OutRsts]++
	out.Send = append(out.Send, segment.Segment{
		Tuple: e.Value.Tuple,
		Seq:   e.Value.ISS + 1,
		Ack:   e.Value.IRS + 1,
		Flags: segment.RST | segment.ACK,
	})
}

// refuse answers an acknowledgment that nothing stands behind:
// <SEQ=SEG.ACK><CTL=RST>. A RST is never answered.
func (m *Machine) refuse(s *segment.Segment, out *Output) {
	if s.Flags.Has(segment.RST) {
		return
	}
	m.counters[OutRsts]++
	out.Send = append(out.Send, segment.Segment{Tuple: s.Tuple, Seq: s.Ack, Flags: segment.RST})
}

// sendResetFor answers an unwanted segment with the RST that its sender will
// believe (RFC 9293 section 3.5.2).
func (m *Machine) sendResetFor(s *segment.Segment, out *Output) {
	if s.Flags.Has(segment.ACK) {
		m.refuse(s, out)
		return
	}
	m.counters[OutRsts]++
	out.Send = append(out.Send, segment.Segment{
		Tuple: s.Tuple,
		Ack:   s.Seq + s.Len(),
		Flags: segment.RST | segment.ACK,
	})
}

// Handshake is what the TCP that adopts e has to know. now is the time at which
// it gets it.
func (m *Machine) Handshake(now time.Duration, e *Entry) segment.Handshake {
	return segment.Handshake{SYN: e.Value.syn(), ISS: e.Value.ISS, TSVal: e.Value.tsval(now)}
}
