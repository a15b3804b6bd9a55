package segment

import "encoding/binary"

// Parse reads the TCP segment in an IP packet into s and verifies all lengths
// and checksums. It allocates nothing. s.Payload and s.Packet point into
// packet.
func Parse(packet []byte, s *Segment) error {
	ip, err := ParseIP(packet)
	if err != nil {
		return err
	}
	return ParseTCP(&ip, s)
}

// ParseTCP reads the TCP segment in a parsed IP packet into s, as Parse does.
func ParseTCP(ip *IP, s *Segment) error {
	header, err := TCPHeader(ip)
	if err != nil {
		return err
	}
	if !ip.ChecksumOK() {
		return ErrTCPChecksum
	}
	payload := ip.Payload()
	*s = Segment{
		Tuple:   TupleOf(ip),
		Seq:     binary.BigEndian.Uint32(header[4:]),
		Ack:     binary.BigEndian.Uint32(header[8:]),
		Flags:   Flags(header[13]),
		Window:  binary.BigEndian.Uint16(header[14:]),
		Payload: payload[len(header):],
		Packet:  ip.Packet,
	}
	if len(header) > tcpMinHeader {
		s.Options = ParseOptions(header[tcpMinHeader:])
	}
	return nil
}

// TCPHeader is the TCP header, options included, of a parsed IP packet. The
// checksum is not looked at.
func TCPHeader(ip *IP) ([]byte, error) {
	if ip.Protocol != ProtocolTCP {
		return nil, ErrNotTCP
	}
	if ip.Fragment {
		return nil, ErrFragment
	}
	payload := ip.Payload()
	if len(payload) < tcpMinHeader {
		return nil, ErrTruncated
	}
	n := int(payload[12]>>4) * 4
	if n < tcpMinHeader || n > len(payload) {
		return nil, ErrDataOffset
	}
	return payload[:n], nil
}

// TupleOf is the tuple of an inbound packet, the source being the client. The
// packet carries at least the two port numbers.
func TupleOf(ip *IP) Tuple {
	ports := ip.Payload()
	return Tuple{
		ClientAddr: ip.Source().As16(),
		ServerAddr: ip.Destination().As16(),
		ClientPort: binary.BigEndian.Uint16(ports),
		ServerPort: binary.BigEndian.Uint16(ports[2:]),
	}
}

// Reverse is the tuple with client and server exchanged: TupleOf of an outbound
// packet, reversed, names its connection.
func (t Tuple) Reverse() Tuple {
	return Tuple{
		ClientAddr: t.ServerAddr, ServerAddr: t.ClientAddr,
		ClientPort: t.ServerPort, ServerPort: t.ClientPort,
	}
}
