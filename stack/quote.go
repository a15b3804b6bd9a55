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

// translateQuoteIn puts netstack's sequence number into an error about a
// segment that the client was sent.
func (s *Stack) translateQuoteIn(ip *segment.IP) {
	tcp, tuple := quotedTCP(ip)
	if len(tcp) < offSeq+4 {
		return
	}
	f := s.flows.get(tuple.Reverse())
	if f == nil || flowState(f.state.Load()) == adopting {
		return
	}
	add(tcp[offSeq:], -f.t.seq, ip.Payload()[2:4], false)
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
