package segment_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

// naiveChecksum is RFC 1071 section 4.1 word by word: "add the 16-bit 1's
// complement", an odd byte being padded with zero.
func naiveChecksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		word := uint32(b[i]) << 8
		if i+1 < len(b) {
			word |= uint32(b[i+1])
		}
		if sum += word; sum > 0xffff {
			sum -= 0xffff // the carry comes back in
		}
	}
	return ^uint16(sum)
}

func TestChecksumEqualsWordByWordSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 4096).Draw(t, "data")
		// Long runs of ones make every carry there is.
		for range rapid.IntRange(0, 4).Draw(t, "runs of ones") {
			b = append(b, slices.Repeat([]byte{0xff}, rapid.IntRange(0, 64).Draw(t, "ones"))...)
		}
		if got, want := segment.Checksum(0, b), naiveChecksum(b); got != want {
			t.Fatalf("checksum of % x: %#04x, word by word %#04x", b, got, want)
		}
	})
}

func TestChecksumOfAllLengthsOfOnes(t *testing.T) {
	for n := range 65536 / 16 {
		b := slices.Repeat([]byte{0xff}, n)
		if got, want := segment.Checksum(0, b), naiveChecksum(b); got != want {
			t.Fatalf("checksum of %d bytes 0xff: %#04x, want %#04x", n, got, want)
		}
	}
}

// RFC 1071 section 3: the numerical example.
func TestChecksumOfTheRFCsExample(t *testing.T) {
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := segment.Checksum(0, b); got != ^uint16(0xddf2) {
		t.Errorf("checksum %#04x, want %#04x", got, ^uint16(0xddf2))
	}
}

// What a rewritten checksum has to be is what a new computation gives, in both
// parities of the word's place.
func TestUpdateChecksumEqualsRecomputation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		packet := segment.AppendRequest(nil, &s)
		tcp := header(packet)
		field := packet[tcp+16 : tcp+18]

		if rapid.Bool().Draw(t, "16 bits") {
			word := packet[tcp+14:] // the window
			is := rapid.Uint16().Draw(t, "new window")
			segment.UpdateChecksum16(field, binary.BigEndian.Uint16(word), is)
			binary.BigEndian.PutUint16(word, is)
		} else {
			// Any place but over the checksum itself.
			at := rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(18, max(18, len(packet)-tcp-4))).Draw(t, "offset")
			if tcp+at+4 > len(packet) {
				at = 4
			}
			word := packet[tcp+at:]
			is := rapid.Uint32().Draw(t, "new word")
			segment.UpdateChecksum32(field, binary.BigEndian.Uint32(word), is, at%2 == 1)
			binary.BigEndian.PutUint32(word, is)
		}
		updated := binary.BigEndian.Uint16(field)
		reseal(packet, tcp)
		if recomputed := binary.BigEndian.Uint16(field); updated != recomputed {
			t.Fatalf("updated checksum %#04x, recomputed %#04x", updated, recomputed)
		}
	})
}

// RFC 1624 section 4: the example on which RFC 1141's equation fails.
func TestUpdateChecksumOfTheRFCsExample(t *testing.T) {
	field := []byte{0xdd, 0x2f}
	segment.UpdateChecksum16(field, 0x5555, 0x3285)
	if got := binary.BigEndian.Uint16(field); got != 0x0000 {
		t.Errorf("checksum %#04x, want 0x0000", got)
	}
}

// What a host leaves to hardware, the sum of the pseudo header, becomes the
// checksum that a host computes itself.
func TestCompleteChecksum(t *testing.T) {
	for _, client := range []string{"198.51.100.7:4000", "[2001:db8::7]:4000"} {
		server := netip.MustParseAddrPort("192.0.2.2:80")
		if client[0] == '[' {
			server = netip.MustParseAddrPort("[2001:db8:77::2]:80")
		}
		tuple := segment.NewTuple(netip.MustParseAddrPort(client), server)
		for size := range 50 {
			payload := slices.Repeat([]byte{0xa5, 0xff, 3}, size)[:size]
			packet := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Seq: 7, Flags: segment.ACK, Payload: payload})
			ip, err := segment.ParseIP(packet)
			if err != nil {
				t.Fatal(err)
			}
			tcp := ip.Payload()
			want := binary.BigEndian.Uint16(tcp[16:])
			// The whole sum is ^want: take the segment's from it.
			binary.BigEndian.PutUint16(tcp[16:], 0)
			pseudo := uint32(^want) + uint32(naiveChecksum(tcp))
			pseudo = pseudo>>16 + pseudo&0xffff
			binary.BigEndian.PutUint16(tcp[16:], uint16(pseudo))
			segment.CompleteChecksum(tcp, 16)
			if got := binary.BigEndian.Uint16(tcp[16:]); got != want {
				t.Errorf("%s, %d bytes: checksum %#04x, want %#04x", client, size, got, want)
			}
		}
	}
}

func TestUDPChecksum(t *testing.T) {
	packet := []byte{
		0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 7, 192, 0, 2, 2,
		0x0f, 0xa0, 0, 53, 0, 11, 0, 0, 'a', 'b', 'c',
	}
	check := func(name string, change func(udp []byte), want bool) {
		b := append(slices.Clone(packet), 0xee, 0xee) // padding behind the datagram is none of it
		b[3] += 2
		pseudo := append(slices.Clone(b[12:20]), 0, 17, 0, 11)
		binary.BigEndian.PutUint16(b[26:], naiveChecksum(append(pseudo, b[20:31]...)))
		change(b[20:])
		binary.BigEndian.PutUint16(b[10:], naiveChecksum(b[:20]))
		ip, err := segment.ParseIP(b)
		if err != nil {
			t.Fatal(err)
		}
		if got := ip.UDPChecksumOK(); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
	check("right", func([]byte) {}, true)
	check("wrong", func(udp []byte) { udp[8] ^= 1 }, false)
	check("none", func(udp []byte) { udp[6], udp[7] = 0, 0 }, true)
}
