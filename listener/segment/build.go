package segment

import "encoding/binary"

// Fields of the IP headers that we write.
const (
	timeToLive   = 64
	dontFragment = 0x4000
)

// AppendReply appends to b the IP packet that carries s from the server to the
// client of its tuple: what a listener sends.
func AppendReply(b []byte, s *Segment) []byte { return appendPacket(b, s, s.Tuple.Reverse()) }

// AppendRequest appends to b the IP packet that carries s from the client to
// the server of its tuple: what a client would have sent.
func AppendRequest(b []byte, s *Segment) []byte { return appendPacket(b, s, s.Tuple) }

// appendPacket writes s from way's client to way's server. IPv4 packets have
// DF set and identification 0 (RFC 6864 section 4.1: an atomic datagram's
// identification means nothing).
func appendPacket(b []byte, s *Segment, way Tuple) []byte {
	start := len(b)
	var optionSpace [40]byte
	options := s.Options.append(optionSpace[:0])
	tcpLen := tcpMinHeader + len(options) + len(s.Payload)

	var addresses []byte
	if s.Tuple.Is4() {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4MinHeader+tcpLen))
		b = binary.BigEndian.AppendUint16(b, 0)
		b = binary.BigEndian.AppendUint16(b, dontFragment)
		b = append(b, timeToLive, ProtocolTCP, 0, 0)
		b = append(b, way.ClientAddr[12:]...)
		b = append(b, way.ServerAddr[12:]...)
		header := b[start:]
		binary.BigEndian.PutUint16(header[10:], ^fold(sum(0, header)))
		addresses = header[12:20]
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(tcpLen))
		b = append(b, ProtocolTCP, timeToLive)
		b = append(b, way.ClientAddr[:]...)
		b = append(b, way.ServerAddr[:]...)
		addresses = b[start+8 : start+40]
	}

	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, way.ClientPort)
	b = binary.BigEndian.AppendUint16(b, way.ServerPort)
	b = binary.BigEndian.AppendUint32(b, s.Seq)
	b = binary.BigEndian.AppendUint32(b, s.Ack)
	b = append(b, byte((tcpMinHeader+len(options))/4)<<4, byte(s.Flags))
	b = binary.BigEndian.AppendUint16(b, s.Window)
	b = append(b, 0, 0, 0, 0) // checksum, urgent pointer
	b = append(b, options...)
	b = append(b, s.Payload...)
	check := ^fold(sum(pseudoHeader(addresses, ProtocolTCP, tcpLen), b[tcp:]))
	binary.BigEndian.PutUint16(b[tcp+16:], check)
	return b
}

// FixLengths mends the lengths and checksums of an IPv4 packet made by
// AppendRequest or AppendReply without options, after n bytes of options, a
// multiple of 4, were put behind its TCP header: for crafted options that
// Options does not know.
func FixLengths(packet []byte, n int) {
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[10], packet[11] = 0, 0
	binary.BigEndian.PutUint16(packet[10:], ^fold(sum(0, packet[:ipv4MinHeader])))
	tcp := packet[ipv4MinHeader:]
	tcp[12] = byte((tcpMinHeader+n)/4) << 4
	tcp[16], tcp[17] = 0, 0
	binary.BigEndian.PutUint16(tcp[16:], ^fold(sum(pseudoHeader(packet[12:20], ProtocolTCP, len(tcp)), tcp)))
}
