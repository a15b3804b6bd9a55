package segment

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Errors of malformed packets. They are returned as they are, so that counting
// them costs nothing.
var (
	ErrVersion      = errors.New("IP version is neither 4 nor 6")
	ErrTruncated    = errors.New("packet is shorter than its headers say")
	ErrHeaderLength = errors.New("IP header length is out of range")
	ErrTotalLength  = errors.New("IP total length does not match the packet")
	ErrIPChecksum   = errors.New("IP header checksum is wrong")
	ErrExtension    = errors.New("IPv6 extension header is malformed")
	ErrDataOffset   = errors.New("TCP data offset is out of range")
	ErrTCPChecksum  = errors.New("TCP checksum is wrong")
	ErrNotTCP       = errors.New("packet does not carry TCP")
	ErrFragment     = errors.New("packet is a fragment")
	ErrMapped       = errors.New("IPv6 packet carries an IPv4-mapped address")
)

// IP protocol numbers.
const (
	ProtocolICMP   = 1
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolICMPv6 = 58
)

// Header sizes in bytes.
const (
	ipv4MinHeader = 20
	ipv6Header    = 40
	tcpMinHeader  = 20
	udpHeader     = 8
)

// IP is where the parts of an IP packet lie. A packet that is longer than its
// own length field is cut to it (link padding).
type IP struct {
	Version   int
	Protocol  uint8  // of the payload, after any IPv6 extension headers
	Fragment  bool   // the payload is not a whole datagram
	Packet    []byte // the packet without padding
	HeaderLen int    // bytes before Payload

	// Continuation is set on a fragment that does not begin its datagram, so
	// that no upper-layer header stands in it.
	Continuation bool
}

// Payload is what follows the IP headers.
func (ip *IP) Payload() []byte { return ip.Packet[ip.HeaderLen:] }

// Source is the packet's source address.
func (ip *IP) Source() netip.Addr {
	if ip.Version == 4 {
		return netip.AddrFrom4([4]byte(ip.Packet[12:16]))
	}
	return netip.AddrFrom16([16]byte(ip.Packet[8:24]))
}

// Destination is the packet's destination address.
func (ip *IP) Destination() netip.Addr {
	if ip.Version == 4 {
		return netip.AddrFrom4([4]byte(ip.Packet[16:20]))
	}
	return netip.AddrFrom16([16]byte(ip.Packet[24:40]))
}

// ParseIP finds the payload of an IPv4 or IPv6 packet, past IPv4 options and
// IPv6 extension headers, and checks every length and the IPv4 header checksum
// on the way.
func ParseIP(packet []byte) (IP, error) {
	if len(packet) == 0 {
		return IP{}, ErrTruncated
	}
	switch packet[0] >> 4 {
	case 4:
		return parseIPv4(packet)
	case 6:
		return parseIPv6(packet)
	}
	return IP{}, ErrVersion
}

func parseIPv4(packet []byte) (IP, error) {
	if len(packet) < ipv4MinHeader {
		return IP{}, ErrTruncated
	}
	headerLen := int(packet[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(packet[2:]))
	switch {
	case headerLen < ipv4MinHeader:
		return IP{}, ErrHeaderLength
	case total < headerLen:
		return IP{}, ErrTotalLength
	case total > len(packet):
		return IP{}, ErrTruncated
	}
	if fold(sum(0, packet[:headerLen])) != 0xffff {
		return IP{}, ErrIPChecksum
	}
	const moreFragments, offsetMask = 0x2000, 0x1fff
	fragment := binary.BigEndian.Uint16(packet[6:])
	return IP{
		Version:      4,
		Protocol:     packet[9],
		Fragment:     fragment&(moreFragments|offsetMask) != 0,
		Continuation: fragment&offsetMask != 0,
		Packet:       packet[:total],
		HeaderLen:    headerLen,
	}, nil
}

func parseIPv6(packet []byte) (IP, error) {
	if len(packet) < ipv6Header {
		return IP{}, ErrTruncated
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(packet[4:]))
	if total > len(packet) {
		return IP{}, ErrTruncated
	}
	ip := IP{Version: 6, Packet: packet[:total], HeaderLen: ipv6Header, Protocol: packet[6]}
	if ip.Source().Is4In6() || ip.Destination().Is4In6() {
		return IP{}, ErrMapped // a Tuple would name an IPv4 connection (RFC 4942 section 2.2)
	}
	return ip, ip.skipExtensions()
}

// skipExtensions walks the extension headers of RFC 8200 section 4 and leaves
// Protocol and HeaderLen at the upper-layer header. Behind a fragment header
// that does not begin its datagram there is nothing to walk.
func (ip *IP) skipExtensions() error {
	const (
		hopByHop, routing, fragment = 0, 43, 44
		authentication, destination = 51, 60
	)
	for {
		rest := ip.Packet[ip.HeaderLen:]
		var size int
		switch ip.Protocol {
		case hopByHop, routing, destination:
			if len(rest) < 8 {
				return ErrExtension
			}
			size = 8 + int(rest[1])*8
		case authentication:
			if len(rest) < 8 {
				return ErrExtension
			}
			size = 8 + int(rest[1])*4
		case fragment:
			if len(rest) < 8 {
				return ErrExtension
			}
			size = 8
			const offsetMask, moreFragments = 0xfff8, 0x1
			bits := binary.BigEndian.Uint16(rest[2:])
			if bits&(offsetMask|moreFragments) != 0 {
				ip.Fragment = true
			}
			if bits&offsetMask != 0 {
				ip.Continuation = true
				ip.Protocol = rest[0]
				ip.HeaderLen += size
				return nil
			}
		default:
			return nil
		}
		if size > len(rest) {
			return ErrExtension
		}
		ip.Protocol = rest[0]
		ip.HeaderLen += size
	}
}
