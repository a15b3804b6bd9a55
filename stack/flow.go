package stack

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"tcplab/listener/segment"
)

// flowState is how far an adoption has come.
//
//	adopting ──► flushing ──► open ──► gone
//	   │            │                    ▲
//	   └────────────┴────────────────────┘
//	     not established in time
type flowState int32

const (
	// adopting: netstack has got the client's SYN; its SYN-ACK has not shown yet.
	adopting flowState = iota
	// flushing: the translation is known; what the client sent meanwhile is
	// being delivered.
	flushing
	// open: segments are translated as they come.
	open
	// gone: netstack's endpoint is no more, or the adoption failed.
	gone
)

// maxPending is how many segments are kept for a connection that is being
// adopted, the time of a goroutine switch. What is lost beyond it is sent again
// by the client.
const maxPending = 64

// flow is a connection that netstack carries, from its adoption until its
// endpoint is gone, TIME-WAIT included.
type flow struct {
	s       *Stack
	port    *Port
	tuple   segment.Tuple
	irs     uint32    // the client's initial sequence number
	iss     uint32    // the listener's
	tsval   uint32    // the listener's timestamp clock at adopted
	started time.Time // when the adoption began

	state    atomic.Int32  // a flowState; mu is held to change it
	shadowed atomic.Bool   // a SYN has come that may open a new connection on this tuple
	rcvNxt   atomic.Uint32 // the last acknowledgment that netstack sent
	tsRecent atomic.Uint32 // the last client timestamp that it echoed
	sndNxt   atomic.Uint32 // SND.NXT, in the listener's numbers
	sndUna   atomic.Uint32 // SND.UNA, in the listener's numbers
	written  atomic.Uint32 // bytes that the application has written
	send     sendBuffer
	receive  receiveBuffer
	finSent  atomic.Bool
	endpoint atomic.Pointer[tcp.Endpoint]
	ending
	stall stall // of the upkeep's goroutine

	mu       sync.Mutex       // guards the following
	t        translation      // constant once the state has left adopting
	pending  [][]byte         // inbound packets, until open
	adopted  Adopted          // told once; nil when told of a failure, or never to be told
	syn      *segment.Segment // the client's, until adopted is told
	onSYNACK func(*segment.Segment)
	hangup   waiter.Entry
}

// endpointState is the TCP state of netstack's endpoint, StateInitial while it
// is not established.
func (f *flow) endpointState() tcp.EndpointState {
	ep := f.endpoint.Load()
	if ep == nil {
		return tcp.StateInitial
	}
	return tcp.EndpointState(ep.State())
}

// inbound takes a segment of the client's.
func (f *flow) inbound(ip *segment.IP, header []byte, sum sum) {
	if !f.heard(ip, header) {
		f.challenge()
		return
	}
	if f.assassinated() {
		f.endTimeWait()
		return
	}
	if flowState(f.state.Load()) != open && f.hold(ip, sum) {
		return
	}
	f.t.inbound(header, sum)
	f.s.link.deliver(ip.Packet)
}

// hold keeps a packet while the connection is not open, its checksum completed,
// and reports whether it has dealt with it.
func (f *flow) hold(ip *segment.IP, sum sum) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch flowState(f.state.Load()) {
	case open:
		return false // since just now
	case gone:
		return true
	}
	if len(f.pending) >= maxPending {
		f.s.counters.add(AdoptionOverflows)
		return true
	}
	kept := *ip
	kept.Packet = bytes.Clone(ip.Packet)
	sum.complete(&kept)
	f.pending = append(f.pending, kept.Packet)
	return true
}

// caught takes the SYN-ACK that netstack sends for the connection. It does not
// leave: the listener's own SYN-ACK did long ago. The first one shows the
// translation.
func (f *flow) caught(ip *segment.IP) {
	f.s.counters.add(SYNACKsHeld)
	var synACK segment.Segment
	if err := segment.ParseTCP(ip, &synACK); err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if flowState(f.state.Load()) != adopting || synACK.Ack != f.irs+1 {
		return
	}
	if f.onSYNACK != nil {
		f.onSYNACK(&synACK)
		return
	}
	f.t.seq = f.iss - synACK.Seq
	if synACK.Options.HasTimestamps {
		elapsed := uint32(time.Since(f.started) / time.Millisecond)
		f.t.timestamp = f.tsval + elapsed - synACK.Options.TSVal
		f.t.timestamps = true
	}
	f.state.Store(int32(flushing))
	f.s.adopter.flush(f)
}

// outbound translates a segment of netstack's and reports whether it may leave.
func (f *flow) outbound(ip *segment.IP, header []byte, sum sum) bool {
	switch flowState(f.state.Load()) {
	case adopting:
		return false // of the connection that had this tuple before
	case gone:
		if f.endpoint.Load() == nil {
			return false // of an adoption that was given up
		}
	}
	if f.assassinated() {
		return false // see endTimeWait
	}
	if segment.Flags(header[offFlags]).Has(segment.ACK) {
		f.announced(header)
	}
	if at := findTimestamps(header); at > 0 {
		f.tsRecent.Store(binary.BigEndian.Uint32(header[at+4:]))
	}
	f.t.outbound(header, sum)
	f.sent(ip, header)
	return true
}

// deliverPending delivers what came during the adoption and opens the flow.
func (f *flow) deliverPending() {
	for {
		f.mu.Lock()
		pending := f.pending
		f.pending = nil
		if len(pending) == 0 {
			if flowState(f.state.Load()) == flushing {
				f.state.Store(int32(open))
			}
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		for _, packet := range pending {
			ip, err := segment.ParseIP(packet)
			if err != nil {
				continue
			}
			header, err := segment.TCPHeader(&ip)
			if err != nil {
				continue
			}
			f.t.inbound(header, sumComplete)
			f.s.link.deliver(packet)
		}
	}
}

// settle ends the time in which the adoption can fail, and returns who is to be
// told: nil if somebody was told already.
func (f *flow) settle() Adopted {
	f.mu.Lock()
	defer f.mu.Unlock()
	adopted := f.adopted
	f.adopted, f.syn = nil, nil
	return adopted
}

// end marks the flow as gone and frees its memory. It reports whether it was
// gone already.
func (f *flow) end() (already bool) {
	f.mu.Lock()
	already = flowState(f.state.Load()) == gone
	f.state.Store(int32(gone))
	f.pending = nil
	f.mu.Unlock()
	f.send.end()
	f.receive.end()
	return already
}
