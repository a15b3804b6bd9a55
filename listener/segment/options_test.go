package segment_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

// optionsOf are the options of a handshake that gopacket read.
func optionsOf(tcp *layers.TCP) segment.Options {
	var o segment.Options
	for _, option := range tcp.Options {
		data := option.OptionData
		switch {
		case option.OptionType == layers.TCPOptionKindMSS && len(data) == 2:
			o.MSS, o.HasMSS = binary.BigEndian.Uint16(data), true
		case option.OptionType == layers.TCPOptionKindWindowScale && len(data) == 1:
			o.WindowScale, o.HasWindowScale = min(data[0], 14), true
		case option.OptionType == layers.TCPOptionKindSACKPermitted && len(data) == 0:
			o.SACKPermitted = true
		case option.OptionType == layers.TCPOptionKindTimestamps && len(data) == 8:
			o.HasTimestamps = true
			o.TSVal, o.TSEcr = binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
		}
	}
	return o
}

// RFC 9293 section 3.2, MUST-5 and MUST-6: options come in any order, and a
// TCP "MUST ignore without error any TCP Option it does not implement".
func TestOptionsInAnyOrderFromAnotherEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wanted []layers.TCPOption
		o := drawOptions(t)
		add := func(kind layers.TCPOptionKind, data ...byte) {
			wanted = append(wanted, layers.TCPOption{OptionType: kind, OptionLength: uint8(2 + len(data)), OptionData: data})
		}
		if o.HasMSS {
			add(layers.TCPOptionKindMSS, binary.BigEndian.AppendUint16(nil, o.MSS)...)
		}
		if o.HasWindowScale {
			add(layers.TCPOptionKindWindowScale, o.WindowScale)
		}
		if o.SACKPermitted {
			add(layers.TCPOptionKindSACKPermitted)
		}
		if o.HasTimestamps {
			add(layers.TCPOptionKindTimestamps, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, o.TSVal), o.TSEcr)...)
		}
		for room := 40 - size(wanted); room >= 2; room = 40 - size(wanted) {
			switch rapid.IntRange(0, 2).Draw(t, "filler") {
			case 0:
				wanted = append(wanted, layers.TCPOption{OptionType: layers.TCPOptionKindNop, OptionLength: 1})
				continue
			case 1: // SACK, TCP-AO, Fast Open, experiments
				kind := rapid.SampledFrom([]layers.TCPOptionKind{5, 29, 34, 253, 254}).Draw(t, "kind")
				add(kind, make([]byte, rapid.IntRange(0, min(room, 12)-2).Draw(t, "length"))...)
				continue
			}
			break
		}
		options := rapid.Permutation(wanted).Draw(t, "options")

		var got segment.Segment
		if err := segment.Parse(encode(t, drawTuple(t), options), &got); err != nil {
			t.Fatal(err)
		}
		if got.Options != o {
			t.Fatalf("options%v, want%v from %v", got.Options, o, options)
		}
	})
}

// size is how many bytes options take.
func size(options []layers.TCPOption) int {
	n := 0
	for _, option := range options {
		n += int(option.OptionLength)
	}
	return n
}

// encode has gopacket write a SYN with options.
func encode(t rapid.TB, tuple segment.Tuple, options []layers.TCPOption) []byte {
	tcp := &layers.TCP{
		SrcPort: layers.TCPPort(tuple.ClientPort), DstPort: layers.TCPPort(tuple.ServerPort),
		Seq: 1000, SYN: true, Window: 64240, Options: options,
	}
	ip := ipLayer(tuple.Client().Addr(), tuple.Server().Addr())
	if err := tcp.SetNetworkLayerForChecksum(ip.(gopacket.NetworkLayer)); err != nil {
		t.Fatal(err)
	}
	buffer := gopacket.NewSerializeBuffer()
	how := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, how, ip, tcp); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// ipLayer is an IP header of gopacket's.
func ipLayer(from, to netip.Addr) gopacket.SerializableLayer {
	if from.Is4() {
		return &layers.IPv4{
			Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolTCP,
			SrcIP: from.AsSlice(), DstIP: to.AsSlice(),
		}
	}
	return &layers.IPv6{
		Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
		SrcIP: from.AsSlice(), DstIP: to.AsSlice(),
	}
}

// RFC 9293 section 3.2, MUST-7: a TCP "MUST be prepared to handle an illegal
// option length (e.g., zero)".
func TestOptionsWithLengthsThatLie(t *testing.T) {
	mss := segment.Options{MSS: 1460, HasMSS: true}
	for _, test := range []struct {
		name string
		area []byte
		want segment.Options
	}{
		{"none", nil, segment.Options{}},
		{"end at once", []byte{0, 2, 4, 5, 180}, segment.Options{}},
		{"no-operations", []byte{1, 1, 1, 1}, segment.Options{}},
		{"known one", []byte{2, 4, 5, 180}, mss},
		{"behind no-operations", []byte{1, 1, 2, 4, 5, 180, 1, 0}, mss},
		{"behind an unknown one", []byte{254, 3, 9, 2, 4, 5, 180}, mss},
		{"length zero ends the area", []byte{254, 0, 2, 4, 5, 180}, segment.Options{}},
		{"length one ends the area", []byte{254, 1, 2, 4, 5, 180}, segment.Options{}},
		{"length beyond the area ends it", []byte{2, 4, 5, 180, 3, 4, 7}, mss},
		{"length 255", []byte{2, 255, 5, 180}, segment.Options{}},
		{"kind without length", []byte{2, 4, 5, 180, 3}, mss},
		{"MSS of three bytes is skipped", []byte{2, 3, 5, 2, 4, 5, 180}, mss},
		{"MSS of six bytes is skipped", []byte{2, 4, 5, 180, 2, 6, 1, 1, 1, 1}, mss},
		{"window scale of two bytes is skipped", []byte{3, 2, 2, 4, 5, 180}, mss},
		{"window scale of four bytes is skipped", []byte{3, 4, 1, 2, 2, 4, 5, 180}, mss},
		{"SACK-permitted of three bytes is skipped", []byte{4, 3, 0, 2, 4, 5, 180}, mss},
		{"timestamps of two bytes are skipped", []byte{8, 2, 2, 4, 5, 180}, mss},
		{"timestamps of twelve bytes are skipped", []byte{8, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 2, 4, 5, 180}, mss},
		{"the last of two counts", []byte{2, 4, 1, 1, 2, 4, 5, 180}, mss},
		// RFC 7323 section 2.3: "the TCP SHOULD log the error but MUST use 14".
		{"window scale 15 is 14", []byte{3, 3, 15}, segment.Options{WindowScale: 14, HasWindowScale: true}},
		{"window scale 255 is 14", []byte{3, 3, 255}, segment.Options{WindowScale: 14, HasWindowScale: true}},
		{"window scale 0 is there", []byte{3, 3, 0}, segment.Options{HasWindowScale: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := segment.ParseOptions(test.area); got != test.want {
				t.Errorf("ParseOptions(%v) =%v, want%v", test.area, got, test.want)
			}
		})
	}
}

// What VisitOptions hands out is the area itself, so that a translation can be
// written in place.
func TestVisitOptionsHandsOutTheArea(t *testing.T) {
	area := []byte{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}
	segment.VisitOptions(area, func(kind byte, data []byte) {
		if kind == segment.OptionTimestamps {
			binary.BigEndian.PutUint32(data, 0xaabbccdd)
		}
	})
	if o := segment.ParseOptions(area); o.TSVal != 0xaabbccdd || o.TSEcr != 0x05060708 {
		t.Errorf("after writing TSval:%v", o)
	}
}
