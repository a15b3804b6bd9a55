package stack

import (
	"bytes"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

var tuple = segment.NewTuple(netip.MustParseAddrPort("198.51.100.7:4000"), netip.MustParseAddrPort("192.0.2.2:80"))

// anyPacket draws a segment with options in any layout, also odd ones, and
// returns its packet.
func anyPacket(t *rapid.T) []byte {
	var area []byte
	for _, kind := range rapid.SliceOfN(rapid.SampledFrom([]byte{segment.OptionNop, segment.OptionTimestamps, segment.OptionSACK, 99}), 0, 4).Draw(t, "kinds") {
		option := []byte{kind}
		switch kind {
		case segment.OptionTimestamps:
			option = append([]byte{kind, 10}, rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "timestamps")...)
		case segment.OptionSACK:
			option = append([]byte{kind, 10}, rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "block")...)
		case 99:
			option = []byte{kind, 3, 1}
		}
		if len(area)+len(option) <= 40 {
			area = append(area, option...)
		}
	}
	for len(area)%4 != 0 {
		area = append(area, segment.OptionEnd)
	}
	plain := segment.AppendRequest(nil, &segment.Segment{
		Tuple: tuple, Seq: rapid.Uint32().Draw(t, "seq"), Ack: rapid.Uint32().Draw(t, "ack"),
		Flags: segment.ACK, Window: 1, Payload: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "data"),
	})
	packet := append(append(bytes.Clone(plain[:40]), area...), plain[40:]...)
	segment.FixLengths(packet, len(area))
	return packet
}

func tcpHeader(t *rapid.T, packet []byte) []byte {
	ip, err := segment.ParseIP(packet)
	if err != nil {
		t.Fatal(err)
	}
	h, err := segment.TCPHeader(&ip)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Translation keeps a right checksum right and a wrong one wrong, moves exactly
// the numbers that it should, and turned around gives back what it was given.
func TestTranslation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tr := translation{
			seq: rapid.Uint32().Draw(t, "seq difference"), timestamp: rapid.Uint32().Draw(t, "timestamp difference"), timestamps: true,
		}
		before := anyPacket(t)
		var was, is segment.Segment
		if err := segment.Parse(before, &was); err != nil {
			t.Fatal(err)
		}

		in := bytes.Clone(before)
		tr.inbound(tcpHeader(t, in), sumComplete)
		if err := segment.Parse(in, &is); err != nil {
			t.Fatalf("inbound: %v", err)
		}
		if is.Seq != was.Seq || is.Ack != was.Ack-tr.seq || is.Options.TSVal != was.Options.TSVal {
			t.Fatalf("inbound: %v became %v", &was, &is)
		}
		if was.Options.HasTimestamps && is.Options.TSEcr != was.Options.TSEcr-tr.timestamp {
			t.Fatalf("inbound: TSecr %d became %d", was.Options.TSEcr, is.Options.TSEcr)
		}
		back := translation{seq: -tr.seq, timestamp: -tr.timestamp, timestamps: true}
		back.inbound(tcpHeader(t, in), sumComplete)
		var again segment.Segment
		if err := segment.Parse(in, &again); err != nil || again.Ack != was.Ack || again.Options != was.Options {
			t.Fatalf("inbound and back: %v became %v (%v)", &was, &again, err)
		}

		out := bytes.Clone(before)
		tr.outbound(tcpHeader(t, out), sumComplete)
		if err := segment.Parse(out, &is); err != nil {
			t.Fatalf("outbound: %v", err)
		}
		if is.Seq != was.Seq+tr.seq || is.Ack != was.Ack || is.Options.TSEcr != was.Options.TSEcr {
			t.Fatalf("outbound: %v became %v", &was, &is)
		}

		wrong := bytes.Clone(before)
		wrong[36] ^= 0x10
		tr.inbound(tcpHeader(t, wrong), sumComplete)
		if err := segment.Parse(wrong, &is); err == nil {
			t.Fatal("a wrong checksum became right")
		}
	})
}

// Each edge of each SACK block moves.
func TestTranslationOfSACKBlocks(t *testing.T) {
	plain := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Ack: 1000, Flags: segment.ACK})
	area := []byte{segment.OptionNop, segment.OptionSACK, 18, 0, 0, 0, 100, 0, 0, 0, 200, 0, 0, 1, 0, 0, 0, 2, 0, segment.OptionEnd}
	packet := append(bytes.Clone(plain[:40]), area...)
	segment.FixLengths(packet, len(area))
	tr := translation{seq: 1}
	tr.inbound(packet[20:], sumComplete)
	want := []byte{segment.OptionNop, segment.OptionSACK, 18, 0, 0, 0, 99, 0, 0, 0, 199, 0, 0, 0, 255, 0, 0, 1, 255, segment.OptionEnd}
	if !bytes.Equal(packet[40:], want) {
		t.Errorf("options %v, want %v", packet[40:], want)
	}
	var s segment.Segment
	if err := segment.Parse(packet, &s); err != nil {
		t.Error(err)
	}
}

func TestTranslationAllocatesNothing(t *testing.T) {
	packet := segment.AppendRequest(nil, &segment.Segment{
		Tuple: tuple, Ack: 1000, Flags: segment.ACK, Options: segment.Options{HasTimestamps: true, TSVal: 1, TSEcr: 2},
	})
	tr := translation{seq: 12345, timestamp: 99, timestamps: true}
	if n := testing.AllocsPerRun(100, func() { tr.inbound(packet[20:], sumComplete); tr.outbound(packet[20:], sumComplete) }); n != 0 {
		t.Errorf("%v allocations a segment, want none", n)
	}
}

// Whatever the options area holds, nothing outside it is touched.
func FuzzTranslation(f *testing.F) {
	f.Add([]byte{1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0}, uint32(7))
	f.Add([]byte{8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0}, uint32(1))
	f.Add([]byte{8, 200}, uint32(1))
	f.Fuzz(func(t *testing.T, area []byte, difference uint32) {
		if len(area) > 40 {
			return
		}
		for len(area)%4 != 0 {
			area = append(area, 0)
		}
		plain := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Ack: 1, Flags: segment.ACK})
		packet := append(bytes.Clone(plain[:40]), area...)
		segment.FixLengths(packet, len(area))
		tr := translation{seq: difference, timestamp: difference, timestamps: true}
		tr.inbound(packet[20:len(packet):len(packet)], sumComplete)
		tr.outbound(packet[20:len(packet):len(packet)], sumComplete)
		var s segment.Segment
		if err := segment.Parse(packet, &s); err != nil {
			t.Errorf("options %v: %v", area, err)
		}
	})
}
