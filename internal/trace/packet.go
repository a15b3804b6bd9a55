package trace

import (
	"time"

	"tcplab/listener"
	"tcplab/listener/segment"
)

// Packet is a packet between the host and the endpoint. Data and Events are
// shared with other readers and must not be changed.
type Packet struct {
	Time    time.Time        // when it was read from the device, or was about to be written to it
	Inbound bool             // from the host to the endpoint
	Data    []byte           // the IP packet, cut to the length that the subscription asked for
	Length  int              // in bytes, of the whole packet
	Events  []listener.Event // what the listener made of it, in order; see the package comment

	Lost       uint64 // packets before this one that the reader was too slow for
	LostEvents uint64 // events since the packet before, of any reader, that no packet could show

	buffer *buffer // of Data
}

// Release gives the memory of Data back, which must not be looked at any more: a
// reader that is done with a packet may call it once. The others lose nothing by
// it, and a packet that is not given back costs the collector's work alone.
func (p *Packet) Release() {
	if p.buffer != nil {
		p.buffer.release()
	}
}

// Tuple is the connection that the packet belongs to; false if it carries no
// whole TCP header.
func (p *Packet) Tuple() (segment.Tuple, bool) { return tupleOf(p.Data, p.Inbound) }

// Foreign reports whether an event is about another connection than the packet
// that shows it.
func (p *Packet) Foreign(e *listener.Event) bool {
	tuple, ok := p.Tuple()
	return !ok || tuple != e.Tuple
}
