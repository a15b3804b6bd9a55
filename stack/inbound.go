package stack

import (
	"errors"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
)

// read takes packets from the device until that fails.
func (s *Stack) read() {
	defer s.workers.Done()
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.dev.Read(buf)
		if err != nil {
			s.readErr = err
			return
		}
		s.counters.add(PacketsIn)
		if s.tap == nil {
			s.inbound(buf[:n])
			continue
		}
		s.tap.In(buf[:n])
		s.inbound(buf[:n])
		s.tap.Handled()
	}
}

// inbound decides where a packet goes: to the port's listener, to netstack
// translated, to netstack as it is, or nowhere. It may write to packet.
func (s *Stack) inbound(packet []byte) {
	ip, err := segment.ParseIP(packet)
	if err != nil {
		s.counters.add(InHdrErrors)
		return
	}
	if ip.Version == 6 {
		s.counters.add(PacketsIn6)
	}
	switch ip.Protocol {
	case segment.ProtocolTCP:
		s.inboundTCP(&ip)
		return
	case segment.ProtocolICMP, segment.ProtocolICMPv6:
		s.translateQuoteIn(&ip)
	}
	s.link.deliver(ip.Packet)
}

func (s *Stack) inboundTCP(ip *segment.IP) {
	header, err := segment.TCPHeader(ip)
	switch {
	case errors.Is(err, segment.ErrFragment):
		s.counters.add(TCPFragments)
		return
	case !s.local[ip.Destination()]:
		// Netstack would take a broadcast address for its own.
		s.counters.add(NotOurs)
		return
	}
	s.counters.add(InSegs)
	if err != nil {
		s.counters.add(InTCPErrors)
		return
	}
	tuple := segment.TupleOf(ip)
	port := s.port(tuple.ServerPort)
	f := s.flows.get(tuple)
	switch {
	case f != nil && port != nil && f.shadowed.Load() && port.owns(ip):
		// A newer connection on this tuple is being opened.
		s.toListener(port, ip)
	case f != nil && segment.Flags(header[offFlags])&(segment.SYN|segment.ACK|segment.RST) == segment.SYN:
		s.inboundSYN(f, port, ip)
	case f != nil:
		f.inbound(ip, header)
	case port != nil:
		s.toListener(port, ip)
	default:
		s.link.deliver(ip.Packet) // a closed port: netstack answers with RST
	}
}

// inboundSYN handles a SYN on the tuple of a connection that netstack has (or
// had until just now).
func (s *Stack) inboundSYN(f *flow, port *Port, ip *segment.IP) {
	f.catchUp() // the client's FIN may stand right before its SYN
	switch state := f.endpointState(); {
	case state == tcp.StateInitial:
		return // a SYN of the handshake being adopted, late
	case state == tcp.StateClose || state == tcp.StateError:
		s.flows.remove(f)
	case state != tcp.StateTimeWait || port == nil || !f.shadowed.Load() && !f.reopens(ip):
		s.link.deliver(ip.Packet) // netstack answers with a challenge ACK (RFC 5961)
		return
	case !f.shadowed.Swap(true):
		s.counters.add(TimeWaitReuses)
		var seg segment.Segment
		if segment.ParseTCP(ip, &seg) == nil { // as reopens found
			port.segments.Reopen(&seg, f.sndNxt.Load())
		}
		return
	default:
		s.counters.add(TimeWaitReuses)
	}
	if port == nil {
		s.link.deliver(ip.Packet)
		return
	}
	s.toListener(port, ip)
}

// owns reports whether a segment is of a handshake that is under way on the
// tuple of a connection in TIME-WAIT.
func (p *Port) owns(ip *segment.IP) bool {
	var seg segment.Segment
	return segment.ParseTCP(ip, &seg) == nil && p.segments.Owns(&seg)
}

// toListener hands a segment to the listener of its port.
func (s *Stack) toListener(port *Port, ip *segment.IP) {
	var seg segment.Segment
	if err := segment.ParseTCP(ip, &seg); err != nil {
		s.counters.add(InTCPErrors)
		if errors.Is(err, segment.ErrTCPChecksum) {
			s.counters.add(InCsumErrors)
		}
		return
	}
	port.segments.Segment(&seg)
}
