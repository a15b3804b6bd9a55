package segment_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"tcplab/listener/segment"
)

// FuzzParse feeds arbitrary packets, as they are and with checksums and lengths
// made right, so that the fuzzer gets past them.
func FuzzParse(f *testing.F) {
	for _, tuple := range tuples {
		s := example(tuple)
		f.Add(segment.AppendRequest(nil, &s))
		f.Add(append(segment.AppendRequest(nil, &s), 0, 0, 0))
	}
	six := example(tuples["IPv6"])
	f.Add(extend(segment.AppendRequest(nil, &six), segment.ProtocolTCP, plain(hopByHop, 8), fragmentHeader(0), plain(authentication, 12)))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkParse(t, slices.Clip(data))
		if repaired := repair(bytes.Clone(data)); repaired != nil {
			checkParse(t, slices.Clip(repaired))
		}
	})
}

// repair makes the lengths and checksums of a packet right, nil if there is no
// TCP in it.
func repair(packet []byte) []byte {
	if len(packet) < 20 || len(packet) > 65535 {
		return nil
	}
	switch n := header(packet); {
	case packet[0]>>4 != 4 && packet[0]>>4 != 6, n < 20, n > len(packet):
		return nil
	}
	ip, err := segment.ParseIP(reseal(resize(packet), len(packet)))
	if err != nil || ip.Protocol != segment.ProtocolTCP {
		return nil
	}
	return reseal(packet, ip.HeaderLen)
}

// checkParse holds a parsed packet against itself, a second writing of it, and
// an independent decoder.
func checkParse(t *testing.T, packet []byte) {
	t.Helper()
	var s segment.Segment
	before := bytes.Clone(packet)
	err := segment.Parse(packet, &s)
	if !bytes.Equal(packet, before) {
		t.Fatal("Parse wrote to the packet")
	}
	if err != nil {
		return
	}
	if !bytes.HasPrefix(packet, s.Packet) || !bytes.HasSuffix(s.Packet, s.Payload) {
		t.Fatalf("packet % x and payload % x are not parts of % x", s.Packet, s.Payload, packet)
	}
	var again segment.Segment
	if err := segment.Parse(segment.AppendRequest(nil, &s), &again); err != nil {
		t.Fatalf("%v, written again: %v", &s, err)
	}
	equal(t, &again, &s, s.Tuple)

	decoded := decode(s.Packet)
	tcp, ok := decoded.TransportLayer().(*layers.TCP)
	if !ok || decoded.ErrorLayer() != nil {
		return // gopacket is stricter about options
	}
	if tcp.Seq != s.Seq || tcp.Ack != s.Ack || tcp.Window != s.Window || flagsOf(tcp) != s.Flags ||
		uint16(tcp.SrcPort) != s.Tuple.ClientPort || uint16(tcp.DstPort) != s.Tuple.ServerPort ||
		!bytes.Equal(tcp.Payload, s.Payload) {
		t.Fatalf("gopacket reads %+v, we read %v", tcp, &s)
	}
	if got := optionsOf(tcp); got != s.Options {
		t.Fatalf("gopacket reads options%v, we read%v", got, s.Options)
	}
}

// FuzzParseOptions holds the options parser against one that walks by index.
func FuzzParseOptions(f *testing.F) {
	f.Add([]byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7})
	f.Add([]byte{8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 254, 0, 2, 4, 5, 180})
	f.Add([]byte{1, 1, 1, 3, 3, 15, 0, 9, 9})
	f.Fuzz(func(t *testing.T, area []byte) {
		area = slices.Clip(area) // reading on behind it panics
		if got, want := segment.ParseOptions(area), naiveOptions(area); got != want {
			t.Fatalf("ParseOptions(%v) =%v, want%v", area, got, want)
		}
		visited := 0
		segment.VisitOptions(area, func(_ byte, data []byte) { visited += 2 + len(data) })
		if visited > len(area) {
			t.Fatalf("%d bytes of options in an area of %d", visited, len(area))
		}
	})
}

// naiveOptions reads options by the letter of RFC 9293 section 3.2.
func naiveOptions(area []byte) (o segment.Options) {
	for i := 0; i < len(area) && area[i] != 0; {
		if area[i] == 1 {
			i++
			continue
		}
		if i+1 == len(area) {
			break
		}
		n := int(area[i+1])
		if n < 2 || i+n > len(area) {
			break
		}
		switch [2]int{int(area[i]), n} {
		case [2]int{2, 4}:
			o.HasMSS, o.MSS = true, binary.BigEndian.Uint16(area[i+2:])
		case [2]int{3, 3}:
			o.HasWindowScale, o.WindowScale = true, min(area[i+2], 14)
		case [2]int{4, 2}:
			o.SACKPermitted = true
		case [2]int{8, 10}:
			o.HasTimestamps = true
			o.TSVal, o.TSEcr = binary.BigEndian.Uint32(area[i+2:]), binary.BigEndian.Uint32(area[i+6:])
		}
		i += n
	}
	return o
}

// FuzzChecksum holds the checksum of arbitrary bytes against the sum word by
// word, before and after a word in them is rewritten.
func FuzzChecksum(f *testing.F) {
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(3), uint32(0))
	f.Add(bytes.Repeat([]byte{0xff}, 41), uint16(17), uint32(0xffff0000))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, is uint32) {
		if got, want := segment.Checksum(0, data), naiveChecksum(data); got != want {
			t.Fatalf("checksum of % x: %#04x, word by word %#04x", data, got, want)
		}
		if len(data) < 6 {
			return
		}
		// As in a segment, something is never zero: the protocol number.
		sealed := append([]byte{0, segment.ProtocolTCP, 0, 0}, data...)
		field := sealed[2:4]
		binary.BigEndian.PutUint16(field, naiveChecksum(sealed))
		i := 4 + int(at)%(len(data)-3)
		segment.UpdateChecksum32(field, binary.BigEndian.Uint32(sealed[i:]), is, i%2 == 1)
		binary.BigEndian.PutUint32(sealed[i:], is)
		if sum := naiveChecksum(sealed); sum != 0 {
			t.Fatalf("word at %d rewritten to %#08x: the checksum is off by %#04x", i, is, sum)
		}
	})
}
