package segment_test

import (
	"encoding/binary"
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
