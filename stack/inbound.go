package stack

import (
	"errors"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// read takes packets from the device until that fails.
func (s *Stack) read() {
	defer s.workers.Done()
	defer close(s.done)
	buf := make([]byte, offload.Size+offload.MaxPacket)
	for {
		packet, h, err := s.readPacket(buf)
		if err != nil {
			s.readErr = err
			return
		}
		s.counters.add(PacketsIn)
		if s.tap == nil {
			s.inbound(packet, h)
			continue
		}
		s.tap.In(packet, h)
		s.inbound(packet, h)
		s.tap.Handled()
	}
}

// readPacket reads a packet into buf.
func (s *Stack) readPacket(buf []byte) (packet []byte, h offload.Header, err error) {
	if s.offload != nil {
		h, packet, err = s.offload.ReadOffload(buf)
		return packet, h, err
	}
	n, err := s.dev.Read(buf)
	return buf[:max(n, 0)], h, err
}

// inbound decides where a packet goes: to the port's listener, to netstack
// translated, to netstack as it is, or nowhere. It may write to packet.
func (s *Stack) inbound(packet []byte, h offload.Header) {
	ip, err := segment.ParseIP(packet)
	if err != nil {
		s.counters.add(InHdrErrors)
		return
	}
	if err := h.Check(ip.Version, ip.Protocol, ip.HeaderLen, len(ip.Packet)); err != nil {
		s.counters.add(InOffloadErrors)
		return
	}
	if ip.Version == 6 {
		s.counters.add(PacketsIn6)
	}
	switch ip.Protocol {
	case segment.ProtocolTCP:
		s.inboundTCP(&ip, sumOf(h))
		return
	case segment.ProtocolICMP, segment.ProtocolICMPv6:
		if !s.quoteIn(&ip) {
			s.counters.add(OutOfWindowICMPs)
			return
		}
	case segment.ProtocolUDP:
		if !sumOf(h).right(&ip) {
			s.counters.add(UDPCsumErrors)
			return
		}
	}
	s.passOn(&ip)
}

// passOn hands netstack what is no connection's, unless it claims to come from
// the endpoint itself, as in a land attack: hosts drop such packets as martian
// (RFC 1812 section 5.3.7), netstack would answer them.
func (s *Stack) passOn(ip *segment.IP) {
	if s.local[ip.Source()] {
		s.counters.add(InvalidSources)
		return
	}
	s.link.deliver(ip.Packet)
}

func (s *Stack) inboundTCP(ip *segment.IP, sum sum) {
	header, err := segment.TCPHeader(ip)
	switch {
	case !s.local[ip.Destination()]:
		// Netstack would take a broadcast address for its own.
		s.counters.add(NotOurs)
		return
	case errors.Is(err, segment.ErrFragment):
		s.inboundFragment(ip, sum)
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
	shadowed := f != nil && port != nil && f.shadowed.Load()
	if shadowed {
		sum = sum.complete(ip) // for owns, which parses it
	}
	switch {
	case shadowed && port.owns(ip):
		// A newer connection on this tuple is being opened.
		s.toListener(port, ip, sum)
	case f == nil && port != nil:
		s.toListener(port, ip, sum)
	case !sum.right(ip):
		s.counters.add(InTCPErrors)
		s.counters.add(InCsumErrors)
	case f != nil && segment.Flags(header[offFlags])&(segment.SYN|segment.ACK|segment.RST) == segment.SYN:
		s.inboundSYN(f, port, ip, sum)
	case f != nil && port != nil && f.reset.Load() && f.endpoint.Load() != nil && !segment.Flags(header[offFlags]).Has(segment.RST):
		s.toListener(port, ip, sum) // behind the client's RST: of no connection
	case f != nil:
		f.inbound(ip, header, sum)
	default:
		s.passOn(ip) // a closed port: netstack answers with RST
	}
}

// inboundFragment keeps a fragment of a TCP segment until the segment is whole,
// and takes that in then. Nobody needs fragments of TCP over IPv6: see package
// fragment. A host finishes checksums before it cuts.
func (s *Stack) inboundFragment(ip *segment.IP, sum sum) {
	if ip.Version != 4 || sum == sumPartial {
		s.counters.add(TCPFragments)
		return
	}
	s.counters.add(ReasmReqds)
	packet, failed := s.fragments.Add(time.Since(s.started), ip)
	s.counters[ReasmFails].Add(uint64(failed))
	if packet != nil {
		s.counters.add(ReasmOKs)
		s.inbound(packet, offload.Header{})
	}
}

// inboundSYN handles a SYN on the tuple of a connection that netstack has (or
// had until just now).
func (s *Stack) inboundSYN(f *flow, port *Port, ip *segment.IP, sum sum) {
	sum = sum.complete(ip) // for whoever parses it
	switch state := f.endpointState(); {
	case state == tcp.StateInitial:
		return // a SYN of the handshake being adopted, late
	case state == tcp.StateClose || state == tcp.StateError:
		s.flows.remove(f)
	case port != nil && f.closed():
		f.shadowed.Store(true) // until netstack has seen it, or the new connection is adopted
	case state != tcp.StateTimeWait && !f.closing():
		f.challenge() // RFC 5961 section 4
		return
	case port == nil || !f.shadowed.Load() && !f.reopens(ip):
		f.refuse()
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
	s.toListener(port, ip, sum)
}

// owns reports whether a segment is of a handshake that is under way on the
// tuple of a connection in TIME-WAIT.
func (p *Port) owns(ip *segment.IP) bool {
	var seg segment.Segment
	return segment.ParseTCP(ip, &seg) == nil && p.segments.Owns(&seg)
}

// toListener hands a segment to the listener of its port, which verifies
// checksums itself and so gets them complete.
func (s *Stack) toListener(port *Port, ip *segment.IP, sum sum) {
	sum.complete(ip)
	if err := segment.ParseTCP(ip, &s.segment); err != nil {
		s.counters.add(InTCPErrors)
		if errors.Is(err, segment.ErrTCPChecksum) {
			s.counters.add(InCsumErrors)
		}
		return
	}
	port.segments.Segment(&s.segment)
}
