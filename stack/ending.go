package stack

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"tcplab/listener/segment"
)

// ending is what the client's segments say of the end of its connection. Netstack
// works segments off in goroutines of its own: a SYN may be read before its
// endpoint has seen the RST or FIN right before it, and netstack, once it has,
// would take the SYN for its own listening endpoint.
//
// Only what is acceptable says anything: whoever does not see the segments must not
// be able to say that the connection has ended (RFC 5961).
type ending struct {
	rcvEnd  atomic.Uint32 // RCV.NXT: behind the last byte that the client has sent in order
	rcvEdge atomic.Uint32 // the right edge of the window that the client was told
	rcvMax  atomic.Uint32 // behind the last byte that the client has sent, in order or not
	reset   atomic.Bool   // with a RST that lies at rcvEnd
	fin     atomic.Bool   // the client has sent its FIN,
	second  atomic.Bool   // after ours

	rcvWndShift uint8     // our window scale
	sndWndShift uint8     // the client's window scale
	sndWndMax   uint32    // the largest window that it has told; of the goroutine that reads the device
	challenged  time.Time // when an ACK was last asked of netstack; of the same goroutine

	rstSent atomic.Bool // we have
}

// heard notes what a segment of the client's says, before translation, when it is
// read: netstack may get it later. It reports false if the segment acknowledges
// what was never sent, so that nothing in it can be believed (RFC 9293 section
// 3.10.7.4, RFC 5961 section 5.2).
func (f *flow) heard(ip *segment.IP, header []byte) bool {
	flags, seq := segment.Flags(header[offFlags]), binary.BigEndian.Uint32(header[offSeq:])
	next := f.rcvEnd.Load()
	switch {
	case flags.Has(segment.RST):
		if seq == next { // RFC 5961 section 3.2
			f.reset.Store(true)
		}
		return true
	case !flags.Has(segment.ACK):
		return true // netstack drops it
	}
	ack := binary.BigEndian.Uint32(header[offAck:])
	if segment.After(ack, f.sndNxt.Load()) {
		return false
	}
	end := seq + uint32(len(ip.Payload())-len(header))
	if flags.Has(segment.FIN) {
		end++
	}
	edge := f.rcvEdge.Load()
	if segment.Before(ack, f.sndUna.Load()-max(f.sndWndMax, 1<<16)) ||
		segment.Before(end, f.rcvNxt.Load()) || segment.After(seq, edge) {
		return true // not acceptable (tcp_sequence)
	}
	advance(&f.rcvMax, end)
	f.acknowledged(header)
	f.sndWndMax = max(f.sndWndMax, uint32(binary.BigEndian.Uint16(header[offWindow:]))<<f.sndWndShift)
	if segment.After(seq, next) || !segment.After(end, next) || segment.After(end, edge) {
		return true // out of order, old, or beyond the window in part
	}
	if flags.Has(segment.FIN) {
		f.second.Store(f.finSent.Load())
		f.fin.Store(true)
	}
	advance(&f.rcvEnd, end)
	return true
}

// announced notes what a segment of netstack's tells the client of the window.
func (f *flow) announced(header []byte) {
	ack := binary.BigEndian.Uint32(header[offAck:])
	f.rcvNxt.Store(ack)
	advance(&f.rcvEnd, ack)
	advance(&f.rcvEdge, ack+uint32(binary.BigEndian.Uint16(header[offWindow:]))<<f.rcvWndShift)
}

// advance moves a sequence number forward to n, if n is beyond it.
func advance(number *atomic.Uint32, n uint32) {
	for was := number.Load(); segment.After(n, was); was = number.Load() {
		if number.CompareAndSwap(was, n) {
			return
		}
	}
}

// challenge answers a segment that may be forged with an ACK (RFC 5961).
func (f *flow) challenge() {
	if f.askACK(ACKsSkippedChallenge) {
		f.s.counters.add(ChallengeACKs)
	}
}

// askACK has netstack send an ACK, which tells a client that knows nothing of the
// connection to reset it, and reports whether it did: netstack is given a segment left of its window,
// which it acknowledges. What asked for the ACK is not delivered: netstack may have
// seen the connection's end by then, and hand it to its listening endpoint.
func (f *flow) askACK(skipped Counter) bool {
	now := time.Now()
	if !f.challenged.IsZero() && now.Sub(f.challenged) < oowInterval {
		f.s.counters.add(skipped)
		return false
	}
	if !f.translated() {
		return false
	}
	f.challenged = now
	f.s.link.deliver(segment.AppendRequest(nil, &segment.Segment{
		Tuple: f.tuple, Seq: f.rcvNxt.Load() - 1, Ack: f.sndNxt.Load() - f.t.seq, Flags: segment.ACK,
	}))
	return true
}

// translated reports whether the difference to netstack's numbers is known, and
// netstack has the connection.
func (f *flow) translated() bool {
	state := flowState(f.state.Load())
	return state == flushing || state == open
}

// closing reports whether both sides have sent their FIN and the client has
// acknowledged ours: the connection is in TIME-WAIT or closed as soon as netstack
// has seen that.
func (f *flow) closing() bool {
	return f.fin.Load() && f.finSent.Load() && f.sndUna.Load() == f.sndNxt.Load()
}

// closed reports whether the client has no connection any more, and there is no
// TIME-WAIT on our side: it has reset it, or has sent its FIN first.
func (f *flow) closed() bool { return f.reset.Load() || f.closing() && !f.second.Load() }
