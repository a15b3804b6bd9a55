package stack

import (
	"encoding/binary"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// outbound sends a packet of netstack's, translated where its connection was
// adopted. The packet lies behind offload.Size bytes of room. outbound may write
// to all of it, and is called with netstack's locks held.
func (s *Stack) outbound(framed []byte, h offload.Header) {
	ip, err := segment.ParseIP(framed[offload.Size:])
	if err != nil {
		return // netstack does not make such packets
	}
	switch ip.Protocol {
	case segment.ProtocolTCP:
		if !s.outboundTCP(&ip, sumOf(h)) {
			return
		}
		s.countSegment(segment.Flags(ip.Payload()[offFlags]))
	case segment.ProtocolICMP, segment.ProtocolICMPv6:
		s.translateQuoteOut(&ip)
	}
	s.write(framed, h)
}

// outboundTCP translates a segment and reports whether it may leave.
func (s *Stack) outboundTCP(ip *segment.IP, sum sum) bool {
	header, err := segment.TCPHeader(ip)
	if err != nil {
		return false
	}
	tuple := segment.TupleOf(ip).Reverse()
	synACK := segment.Flags(header[offFlags]).Has(segment.SYN | segment.ACK)
	f := s.flows.get(tuple)
	switch {
	case f != nil && synACK:
		f.caught(ip)
		return false
	case f != nil:
		return f.outbound(ip, header, sum)
	case s.port(tuple.ServerPort) == nil && closedPortsReset(header):
		return true
	case synACK:
		s.counters.add(UnaskedSYNACKs)
		s.log.Error("netstack sent a SYN-ACK that no adoption asked for", "connection", tuple)
		return false
	case segment.Flags(header[offFlags]) == segment.RST:
		// Of netstack's listening endpoint, for what a connection that has ended
		// had not read. Its numbers are netstack's. The client, if it is there, sends
		// again, and the listener answers.
		s.counters.add(StrayResets)
		return false
	default:
		s.counters.add(UnaskedSegments)
		s.log.Error("netstack sent a segment for no known connection", "connection", tuple, "flags", segment.Flags(header[offFlags]))
		return false
	}
}

// closedPortsReset reports whether a segment is the RST with which a port that
// is closed answers: its number is 0, or was the other side's (RFC 9293 section
// 3.5.2). That of a connection which nobody knows any more is neither.
func closedPortsReset(header []byte) bool {
	flags := segment.Flags(header[offFlags])
	return flags.Has(segment.RST) && (!flags.Has(segment.ACK) || binary.BigEndian.Uint32(header[offSeq:]) == 0)
}

// write puts a packet, which lies behind offload.Size bytes of room, on the
// device. A packet that it does not take is lost, as on any link.
func (s *Stack) write(framed []byte, h offload.Header) {
	packet := framed[offload.Size:]
	if s.tap != nil {
		s.tap.Out(packet, h)
	}
	var err error
	if s.offload != nil {
		err = s.offload.WriteOffload(h, framed)
	} else {
		_, err = s.dev.Write(packet)
	}
	if err != nil {
		s.counters.add(OutErrors)
		return
	}
	s.counters.add(PacketsOut)
	if packet[0]>>4 == 6 {
		s.counters.add(PacketsOut6)
	}
}

// countSegment counts a segment that is about to be written.
func (s *Stack) countSegment(flags segment.Flags) {
	s.counters.add(OutSegs)
	if flags.Has(segment.RST) {
		s.counters.add(OutRsts)
	}
}
