package segment_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

// Addresses of the documentation ranges (RFC 5737, RFC 3849).
var (
	client4 = netip.MustParseAddrPort("192.0.2.1:40001")
	server4 = netip.MustParseAddrPort("192.0.2.2:80")
	client6 = netip.MustParseAddrPort("[2001:db8::1]:40001")
	server6 = netip.MustParseAddrPort("[2001:db8::2]:80")
)

// tuples are a connection of each IP version.
var tuples = map[string]segment.Tuple{
	"IPv4": segment.NewTuple(client4, server4),
	"IPv6": segment.NewTuple(client6, server6),
}

// example is a segment that uses every field.
func example(tuple segment.Tuple) segment.Segment {
	return segment.Segment{
		Tuple: tuple, Seq: 0x01020304, Ack: 0xfffefdfc, Window: 64240,
		Flags: segment.PSH | segment.ACK,
		Options: segment.Options{
			MSS: 1460, HasMSS: true, WindowScale: 7, HasWindowScale: true,
			SACKPermitted: true, HasTimestamps: true, TSVal: 100, TSEcr: 200,
		},
		Payload: []byte("seven b"),
	}
}

// header is the size of the IP header that the package writes.
func header(packet []byte) int {
	if packet[0]>>4 == 4 {
		return int(packet[0]&0xf) * 4
	}
	return 40
}

// reseal makes the checksums of a packet right again whose TCP header is at tcp,
// so that a test meets the flaw that it made and no other.
func reseal(packet []byte, tcp int) []byte {
	var pseudo []byte
	if packet[0]>>4 == 4 {
		binary.BigEndian.PutUint16(packet[10:], 0)
		binary.BigEndian.PutUint16(packet[10:], naiveChecksum(packet[:header(packet)]))
		pseudo = append(pseudo, packet[12:20]...)
	} else {
		pseudo = append(pseudo, packet[8:40]...)
	}
	if len(packet) < tcp+18 {
		return packet
	}
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(packet)-tcp))
	pseudo = append(pseudo, 0, 0, 0, segment.ProtocolTCP)
	binary.BigEndian.PutUint16(packet[tcp+16:], 0)
	binary.BigEndian.PutUint16(packet[tcp+16:], naiveChecksum(append(pseudo, packet[tcp:]...)))
	return packet
}

// resize writes the packet's length into its IP header.
func resize(packet []byte) []byte {
	if packet[0]>>4 == 4 {
		binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	} else {
		binary.BigEndian.PutUint16(packet[4:], uint16(len(packet)-40))
	}
	return packet
}

// drawTuple draws a connection over IPv4 or IPv6.
func drawTuple(t *rapid.T) segment.Tuple {
	address := func(label string, v4 bool) netip.Addr {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
		if v4 {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		b[0] |= 0x20 // no IPv4-mapped address
		return netip.AddrFrom16(b)
	}
	v4 := rapid.Bool().Draw(t, "IPv4")
	port := rapid.Uint16()
	return segment.NewTuple(
		netip.AddrPortFrom(address("client", v4), port.Draw(t, "client port")),
		netip.AddrPortFrom(address("server", v4), port.Draw(t, "server port")),
	)
}

// drawOptions draws the options of a handshake, absent ones zero.
func drawOptions(t *rapid.T) segment.Options {
	var o segment.Options
	if o.HasMSS = rapid.Bool().Draw(t, "has MSS"); o.HasMSS {
		o.MSS = rapid.Uint16().Draw(t, "MSS")
	}
	if o.HasWindowScale = rapid.Bool().Draw(t, "has window scale"); o.HasWindowScale {
		o.WindowScale = rapid.Uint8Range(0, 14).Draw(t, "window scale")
	}
	if o.HasTimestamps = rapid.Bool().Draw(t, "has timestamps"); o.HasTimestamps {
		o.TSVal = rapid.Uint32().Draw(t, "TSval")
		o.TSEcr = rapid.Uint32().Draw(t, "TSecr")
	}
	o.SACKPermitted = rapid.Bool().Draw(t, "SACK permitted")
	return o
}

// drawSegment draws any segment that the package can write.
func drawSegment(t *rapid.T) segment.Segment {
	return segment.Segment{
		Tuple:   drawTuple(t),
		Seq:     rapid.Uint32().Draw(t, "seq"),
		Ack:     rapid.Uint32().Draw(t, "ack"),
		Flags:   segment.Flags(rapid.Uint8().Draw(t, "flags")),
		Window:  rapid.Uint16().Draw(t, "window"),
		Options: drawOptions(t),
		Payload: rapid.SliceOfN(rapid.Byte(), 0, 1460).Draw(t, "payload"),
	}
}

// parse is Parse that has to succeed.
func parse(t testing.TB, packet []byte) segment.Segment {
	t.Helper()
	var s segment.Segment
	if err := segment.Parse(packet, &s); err != nil {
		t.Fatalf("Parse(% x): %v", packet, err)
	}
	return s
}
