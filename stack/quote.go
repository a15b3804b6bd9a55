package stack

import (
	"encoding/binary"
	"net/netip"

	"tcplab/listener/segment"
)

// ICMP errors quote the packet that they are about (RFC 792, RFC 4443): at
// least its IP header and 8 bytes more, so ports and sequence number are there
// and the acknowledgment may be. Both sides must find their own numbers in it.

// icmpHeader is the length of an ICMP header, in front of the quote.
const icmpHeader = 8

// The smallest MTU that an ICMP error can bring about: net.ipv4.route.min_pmtu,
// and the least that a link of IPv6 has (RFC 8200 section 5).
const (
	minPMTU4 = 552
	minPMTU6 = 1280
)

// quoteIn puts netstack's sequence number into an error about a segment that the
// client was sent, and reports whether the packet may go on to netstack. An error
// about a segment that is not under way may not: whoever does not see a connection's
// segments could slow it down, or end its adoption (RFC 5927; tcp_v4_err). Nor may
// an error in fragments, which nobody has looked at as a whole.
func (s *Stack) quoteIn(ip *segment.IP) bool {
	icmp := ip.Payload()
	if ip.Continuation || len(icmp) < icmpHeader || !isError(ip.Version, icmp[0]) {
		return true
	}
	if ip.Fragment {
		return false
	}
	if !quotesTCP(ip.Version, icmp[icmpHeader:]) {
		return true
	}
	tcp, tuple := quotedTCP(ip)
	if len(tcp) < offSeq+4 {
		return false
	}
	f := s.flows.get(tuple.Reverse())
	if f == nil || f.endpoint.Load() == nil { // netstack would end a handshake that is not done
		return false
	}
	seq := binary.BigEndian.Uint32(tcp[offSeq:])
	if segment.Before(seq, f.sndUna.Load()) || segment.After(seq, f.sndNxt.Load()) {
		return false
	}
	add(tcp[offSeq:], -f.t.seq, icmp[2:4], false)
	switch {
	case ip.Version == 4 && icmp[0] == 3 && icmp[1] == 4:
		raiseMTU(icmp, minPMTU4)
	case ip.Version == 6 && icmp[0] == 2:
		raiseMTU(icmp, minPMTU6)
	}
	return true
}

// raiseMTU has an ICMP error tell of an MTU of at least least. The field of IPv4
// has two bytes, behind two that nobody uses.
func raiseMTU(icmp []byte, least uint32) {
	field := icmp[4:8]
	mtu := binary.BigEndian.Uint32(field)
	if icmp[0] == 3 {
		mtu &= 0xffff
	}
	if mtu < least {
		add(field, least-binary.BigEndian.Uint32(field), icmp[2:4], false)
	}
}

// quotesTCP reports whether a quote says that it is of TCP, however it goes on.
func quotesTCP(version int, quote []byte) bool {
	const fragmentHeader = 44
	if version == 4 {
		return len(quote) >= 20 && quote[9] == segment.ProtocolTCP
	}
	return len(quote) >= 40 && (quote[6] == segment.ProtocolTCP ||
		quote[6] == fragmentHeader && len(quote) > 40 && quote[40] == segment.ProtocolTCP)
}

// translateQuoteOut puts the client's acknowledgment back into an error about a
// segment that netstack was handed.
func (s *Stack) translateQuoteOut(ip *segment.IP) {
	tcp, tuple := quotedTCP(ip)
	if len(tcp) < offAck+4 {
		return
	}
	f := s.flows.get(tuple)
	if f == nil || flowState(f.state.Load()) == adopting {
		return
	}
	add(tcp[offAck:], f.t.seq, ip.Payload()[2:4], false)
}

// quotedTCP is the TCP header, perhaps cut short, that an ICMP error quotes,
// and its tuple with the source as client; nil if the packet is none. The quote
// starts at an even offset, as checksum updates need.
func quotedTCP(ip *segment.IP) ([]byte, segment.Tuple) {
	icmp := ip.Payload()
	if ip.Fragment || len(icmp) < icmpHeader || !isError(ip.Version, icmp[0]) {
		return nil, segment.Tuple{}
	}
	quote := icmp[icmpHeader:]
	var source, destination netip.Addr
	var tcp []byte
	switch {
	case ip.Version == 4 && len(quote) >= 20 && quote[0]>>4 == 4 && quote[9] == segment.ProtocolTCP:
		headerLen := int(quote[0]&0xf) * 4
		const offsetMask = 0x1fff
		if headerLen < 20 || headerLen > len(quote) || binary.BigEndian.Uint16(quote[6:])&offsetMask != 0 {
			return nil, segment.Tuple{}
		}
		source, destination = netip.AddrFrom4([4]byte(quote[12:])), netip.AddrFrom4([4]byte(quote[16:]))
		tcp = quote[headerLen:]
	case ip.Version == 6 && len(quote) >= 40 && quote[0]>>4 == 6 && quote[6] == segment.ProtocolTCP:
		source, destination = netip.AddrFrom16([16]byte(quote[8:])), netip.AddrFrom16([16]byte(quote[24:]))
		tcp = quote[40:]
	}
	if len(tcp) < 4 {
		return nil, segment.Tuple{}
	}
	return tcp, segment.NewTuple(
		netip.AddrPortFrom(source, binary.BigEndian.Uint16(tcp)),
		netip.AddrPortFrom(destination, binary.BigEndian.Uint16(tcp[2:])))
}

// isError reports whether an ICMP type is one of the errors, which quote.
func isError(version int, kind byte) bool {
	if version == 6 {
		return kind < 128 // RFC 4443 section 2.1
	}
	switch kind {
	case 3, 4, 5, 11, 12: // unreachable, quench, redirect, time exceeded, parameter problem
		return true
	}
	return false
}
