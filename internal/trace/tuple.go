package trace

import (
	"encoding/binary"

	"tcplab/listener/segment"
)

// tupleOf reads the connection off a packet that may have been cut anywhere, and
// that nobody has checked yet.
func tupleOf(packet []byte, inbound bool) (segment.Tuple, bool) {
	var ports []byte
	tuple := segment.Tuple{}
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4 && packet[9] == segment.ProtocolTCP:
		const offsetMask = 0x1fff
		headerLen := int(packet[0]&0xf) * 4
		if headerLen < 20 || headerLen > len(packet) || binary.BigEndian.Uint16(packet[6:])&offsetMask != 0 {
			return tuple, false
		}
		tuple.ClientAddr, tuple.ServerAddr = mapped(packet[12:]), mapped(packet[16:])
		ports = packet[headerLen:]
	case len(packet) >= 40 && packet[0]>>4 == 6 && packet[6] == segment.ProtocolTCP:
		tuple.ClientAddr, tuple.ServerAddr = [16]byte(packet[8:]), [16]byte(packet[24:])
		ports = packet[40:]
	}
	if len(ports) < 4 {
		return tuple, false
	}
	tuple.ClientPort = binary.BigEndian.Uint16(ports)
	tuple.ServerPort = binary.BigEndian.Uint16(ports[2:])
	if !inbound {
		tuple = tuple.Reverse()
	}
	return tuple, true
}

// mapped is an IPv4 address in its IPv4-mapped form (RFC 4291 section 2.5.5.2).
func mapped(address []byte) [16]byte {
	m := [16]byte{10: 0xff, 11: 0xff}
	copy(m[12:], address[:4])
	return m
}
