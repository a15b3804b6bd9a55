package segment

import "encoding/binary"

// sum adds b to an unfolded Internet checksum (RFC 1071), eight bytes at a
// time: the sum is the same whatever the width of the words added, as long as
// the carries come back in.
func sum(initial uint64, b []byte) uint64 {
	s := initial
	for len(b) >= 8 {
		v := binary.BigEndian.Uint64(b)
		s += v
		if s < v {
			s++
		}
		b = b[8:]
	}
	var tail [8]byte
	if len(b) > 0 {
		copy(tail[:], b)
		v := binary.BigEndian.Uint64(tail[:])
		s += v
		if s < v {
			s++
		}
	}
	return s
}

// fold brings the carries of an unfolded sum back into 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}

// pseudoHeader is the unfolded sum of the pseudo header of a TCP segment of n
// bytes (RFC 9293 section 3.1, RFC 8200 section 8.1). addresses are source and
// destination as they lie in the IP header.
func pseudoHeader(addresses []byte, protocol uint8, n int) uint64 {
	return sum(uint64(protocol)+uint64(n), addresses)
}

// addresses are the source and destination address bytes of a parsed packet.
func (ip *IP) addresses() []byte {
	if ip.Version == 4 {
		return ip.Packet[12:20]
	}
	return ip.Packet[8:40]
}

// ChecksumOK verifies the checksum of a TCP or ICMPv6 payload.
func (ip *IP) ChecksumOK() bool {
	payload := ip.Payload()
	return fold(sum(pseudoHeader(ip.addresses(), ip.Protocol, len(payload)), payload)) == 0xffff
}

// UDPChecksumOK verifies the checksum of a UDP payload, which IPv4 does not
// require (RFC 768), and IPv6 does (RFC 8200 section 8.1). What is too short to
// have one passes.
func (ip *IP) UDPChecksumOK() bool {
	datagram := ip.Payload()
	if len(datagram) < udpHeader {
		return true
	}
	if n := int(binary.BigEndian.Uint16(datagram[4:])); n >= udpHeader && n <= len(datagram) {
		datagram = datagram[:n]
	}
	if ip.Version == 4 && binary.BigEndian.Uint16(datagram[6:]) == 0 {
		return true
	}
	return fold(sum(pseudoHeader(ip.addresses(), ProtocolUDP, len(datagram)), datagram)) == 0xffff
}

// CompleteChecksum makes the checksum at an offset in b, which is over all of b,
// out of the sum of the pseudo header that stands there: what hardware does for
// a packet with NEEDS_CSUM.
func CompleteChecksum(b []byte, at int) {
	binary.BigEndian.PutUint16(b[at:], ChecksumOf(b))
}

// ChecksumOf is the Internet checksum of b (RFC 1071): what CompleteChecksum
// writes.
func ChecksumOf(b []byte) uint16 { return ^fold(sum(0, b)) }

// UpdateChecksum16 rewrites the checksum field at sum[0:2] for a 16-bit word
// that changed from was to is (RFC 1624, equation 3).
func UpdateChecksum16(sum []byte, was, is uint16) {
	check := uint32(^binary.BigEndian.Uint16(sum)) + uint32(^was) + uint32(is)
	check = check>>16 + check&0xffff
	check = check>>16 + check&0xffff
	binary.BigEndian.PutUint16(sum, ^uint16(check))
}

// UpdateChecksum32 does the same for a 32-bit word whose first byte lies at an
// even offset of what is summed (odd false) or an odd one (odd true), as a
// timestamp behind a single NOP does.
func UpdateChecksum32(sum []byte, was, is uint32, odd bool) {
	if odd {
		was, is = was<<8|was>>24, is<<8|is>>24
	}
	UpdateChecksum16(sum, uint16(was>>16), uint16(is>>16))
	UpdateChecksum16(sum, uint16(was), uint16(is))
}
