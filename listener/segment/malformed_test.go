package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"tcplab/listener/segment"
)

// flaw is a packet made wrong in one way.
type flaw struct {
	name string
	make func(packet []byte) []byte // from a good packet
	want error                      // nil: still good
}

func TestParseRefusesMalformedIPv4(t *testing.T) {
	// resealed changes one thing and makes the checksums right again.
	resealed := func(change func([]byte)) func([]byte) []byte {
		return func(p []byte) []byte { change(p); return reseal(p, header(p)) }
	}
	field := func(offset int, value uint16) func([]byte) []byte {
		return resealed(func(p []byte) { binary.BigEndian.PutUint16(p[offset:], value) })
	}
	good := example(tuples["IPv4"])
	size := uint16(len(segment.AppendRequest(nil, &good)))
	tryAll(t, good, []flaw{
		{"no bytes", func([]byte) []byte { return nil }, segment.ErrTruncated},
		{"version 0", func(p []byte) []byte { p[0] = 0x05; return p }, segment.ErrVersion},
		{"version 5", func(p []byte) []byte { p[0] = 0x55; return p }, segment.ErrVersion},
		{"version 15", func(p []byte) []byte { p[0] = 0xf5; return p }, segment.ErrVersion},
		{"nineteen bytes", func(p []byte) []byte { return p[:19] }, segment.ErrTruncated},
		{"header of 0 bytes", func(p []byte) []byte { p[0] = 0x40; return p }, segment.ErrHeaderLength},
		{"header of 16 bytes", func(p []byte) []byte { p[0] = 0x44; return p }, segment.ErrHeaderLength},
		{"header longer than the packet", func(p []byte) []byte { p[0] = 0x4f; return resize(p[:40]) }, segment.ErrTotalLength},
		{"total length 0", field(2, 0), segment.ErrTotalLength},
		{"total length 19", field(2, 19), segment.ErrTotalLength},
		{"total length one too many", field(2, size+1), segment.ErrTruncated},
		{"total length 65535", field(2, 65535), segment.ErrTruncated},
		{"total length ends before TCP's header", func(p []byte) []byte { return reseal(resize(p[:39]), 20) }, segment.ErrTruncated},
		{"header checksum zero", func(p []byte) []byte { p[10], p[11] = 0, 0; return p }, segment.ErrIPChecksum},
		{"header checksum one off", func(p []byte) []byte { p[11]++; return p }, segment.ErrIPChecksum},
		{"UDP", resealed(func(p []byte) { p[9] = 17 }), segment.ErrNotTCP},
		{"ICMP", resealed(func(p []byte) { p[9] = segment.ProtocolICMP }), segment.ErrNotTCP},
		{"first fragment", field(6, 0x2000), segment.ErrFragment},
		{"middle fragment", field(6, 0x2001), segment.ErrFragment},
		{"last fragment", field(6, 0x1fff), segment.ErrFragment},
		{"DF clear", field(6, 0), nil},
		{"reserved IP flag", field(6, 0x8000), nil},
		{"TCP header of 0 bytes", resealed(func(p []byte) { p[32] = 0 }), segment.ErrDataOffset},
		{"TCP header of 16 bytes", resealed(func(p []byte) { p[32] = 0x40 }), segment.ErrDataOffset},
		{"TCP header longer than the segment", resealed(func(p []byte) { p[32] = 0xf0 }), segment.ErrDataOffset},
		{"reserved TCP bits", resealed(func(p []byte) { p[32] |= 0x0f }), nil},
		{"urgent pointer", field(38, 0xffff), nil},
		{"TCP checksum zero", func(p []byte) []byte { p[36], p[37] = 0, 0; return p }, segment.ErrTCPChecksum},
		{"TCP checksum one off", func(p []byte) []byte { p[37]++; return p }, segment.ErrTCPChecksum},
		{"payload changed", func(p []byte) []byte { p[len(p)-1]++; return p }, segment.ErrTCPChecksum},
		{"source changed", func(p []byte) []byte {
			p[15]++
			binary.BigEndian.PutUint16(p[10:], 0)
			binary.BigEndian.PutUint16(p[10:], naiveChecksum(p[:20]))
			return p
		}, segment.ErrTCPChecksum},
		{"IP options", func(p []byte) []byte {
			p = slices.Insert(p, 20, 1, 1, 1, 0)
			p[0] = 0x46
			return reseal(resize(p), 24)
		}, nil},
		{"60 bytes of IP header", func(p []byte) []byte {
			p = slices.Insert(p, 20, bytes.Repeat([]byte{1}, 40)...)
			p[0] = 0x4f
			return reseal(resize(p), 60)
		}, nil},
		{"link padding", func(p []byte) []byte { return append(p, "padding"...) }, nil},
	})
}

// tryAll parses good with each flaw. A packet that is still good has to be read
// as good was.
func tryAll(t *testing.T, good segment.Segment, flaws []flaw) {
	t.Helper()
	for _, f := range flaws {
		t.Run(f.name, func(t *testing.T) {
			var got segment.Segment
			packet := f.make(segment.AppendRequest(nil, &good))
			if err := segment.Parse(packet, &got); !errors.Is(err, f.want) {
				t.Fatalf("Parse: %v, want %v", err, f.want)
			}
			if f.want == nil {
				equal(t, &got, &good, good.Tuple)
			}
		})
	}
}

// Whatever is cut off a packet, the rest is refused.
func TestParseRefusesEveryTruncation(t *testing.T) {
	for name, tuple := range tuples {
		t.Run(name, func(t *testing.T) {
			good := example(tuple)
			packet := segment.AppendRequest(nil, &good)
			for n := range len(packet) {
				var s segment.Segment
				if err := segment.Parse(slices.Clip(packet[:n]), &s); err == nil {
					t.Errorf("%d of %d bytes were accepted", n, len(packet))
				}
				if n < header(packet)+20 {
					continue
				}
				// The lengths fit, but the checksum is that of the whole.
				cut := resize(bytes.Clone(packet[:n]))
				if cut[0]>>4 == 4 {
					binary.BigEndian.PutUint16(cut[10:], 0)
					binary.BigEndian.PutUint16(cut[10:], naiveChecksum(cut[:20]))
				}
				if err := segment.Parse(cut, &s); err == nil {
					t.Errorf("%d of %d bytes with fitting lengths were accepted", n, len(packet))
				}
			}
		})
	}
}

// A checksum finds every single wrong bit, apart from the fields of the IPv6
// header that none covers: traffic class, flow label and hop limit.
func TestParseRefusesEveryFlippedBit(t *testing.T) {
	for name, tuple := range tuples {
		t.Run(name, func(t *testing.T) {
			good := example(tuple)
			packet := segment.AppendRequest(nil, &good)
			for bit := range 8 * len(packet) {
				i := bit / 8
				covered := packet[0]>>4 == 4 || bit < 4 || i >= 4 && i != 7
				packet[i] ^= 0x80 >> (bit % 8)
				var s segment.Segment
				if err := segment.Parse(packet, &s); (err != nil) != covered {
					t.Errorf("bit %d of byte %d flipped: %v", bit%8, i, err)
				}
				packet[i] ^= 0x80 >> (bit % 8)
			}
		})
	}
}

// Padding belongs to the link: it is in neither payload nor packet.
func TestParseCutsPadding(t *testing.T) {
	for name, tuple := range tuples {
		t.Run(name, func(t *testing.T) {
			good := example(tuple)
			packet := segment.AppendRequest(nil, &good)
			padded := append(bytes.Clone(packet), make([]byte, 18)...)
			if s := parse(t, padded); !bytes.Equal(s.Packet, packet) || !bytes.Equal(s.Payload, good.Payload) {
				t.Errorf("packet % x payload %q", s.Packet, s.Payload)
			}
		})
	}
}
