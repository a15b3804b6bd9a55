package fragment

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// piece is an IPv4 packet of 192.0.2.1's with a fragment of TCP.
func piece(id uint16, offset int, data []byte, more bool, options ...byte) *segment.IP {
	packet := slices.Concat([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, options, data)
	packet[0] += byte(len(options) / 4)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	binary.BigEndian.PutUint16(packet[4:], id)
	field := uint16(offset / 8)
	if more {
		field |= 0x2000
	}
	binary.BigEndian.PutUint16(packet[6:], field)
	header := 20 + len(options)
	binary.BigEndian.PutUint16(packet[10:], segment.ChecksumOf(packet[:header]))
	return parsed(packet)
}

func parsed(packet []byte) *segment.IP {
	ip, err := segment.ParseIP(packet)
	if err != nil {
		panic(err)
	}
	return &ip
}

// cut cuts data at offsets that are multiples of 8.
func cut(t *rapid.T, data []byte) (parts [][2]int) {
	for at := 0; at < len(data); {
		end := min(at+8*rapid.IntRange(1, 6).Draw(t, "eights"), len(data))
		parts = append(parts, [2]int{at, end})
		at = end
	}
	return parts
}

// TestOnlyWhatWasSent: parts in any order, doubled, with those of other datagrams
// in between, come to what was sent. Beside parts that somebody else wrote over it,
// they come to that or to nothing.
func TestOnlyWhatWasSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 9, 200).Draw(t, "data")
		id := rapid.Uint16().Draw(t, "id")
		honest := rapid.Bool().Draw(t, "honest")
		parts := cut(t, data)
		again := rapid.SliceOfN(rapid.SampledFrom(parts), 0, 3).Draw(t, "again")
		all := rapid.Permutation(slices.Concat(parts, again)).Draw(t, "order")
		var r Reassembler
		var got [][]byte
		add := func(ip *segment.IP) {
			packet, _ := r.Add(0, ip)
			clear(ip.Packet) // as the reader's buffer is used again
			if packet != nil {
				got = append(got, packet)
			}
		}
		for _, p := range all {
			switch {
			case rapid.IntRange(0, 3).Draw(t, "other") > 0:
			case honest:
				add(piece(id+1, 8*rapid.IntRange(0, 9).Draw(t, "elsewhere"), []byte("of other"), true))
			default:
				add(piece(id, 8*rapid.IntRange(0, 30).Draw(t, "over"), []byte("rewrites"), rapid.Bool().Draw(t, "more")))
			}
			add(piece(id, p[0], bytes.Clone(data[p[0]:p[1]]), p[1] < len(data)))
		}
		whole := 0
		for _, packet := range got {
			ip := parsed(packet)
			if ip.Fragment || ip.Protocol != segment.ProtocolTCP || binary.BigEndian.Uint16(packet[4:]) != id {
				t.Fatalf("put together: % x", packet)
			}
			switch {
			case bytes.Equal(ip.Payload(), data):
				whole++
			case honest:
				t.Fatalf("put together % x, sent % x", ip.Payload(), data)
			case mixed(ip.Payload(), data, parts):
				t.Fatalf("part of what was sent was written over: % x of % x", ip.Payload(), data)
			}
		}
		if honest && whole == 0 {
			t.Fatalf("nothing came of % x in %v", data, all)
		}
	})
}

// mixed reports whether a packet has, where one part was sent, eights of that part
// beside others: somebody wrote over it.
func mixed(got, data []byte, parts [][2]int) bool {
	for _, p := range parts {
		theirs, sent := 0, 0
		for at := p[0]; at+8 <= min(p[1], len(got)); at += 8 {
			if bytes.Equal(got[at:at+8], []byte("rewrites")) {
				theirs++
			} else if bytes.Equal(got[at:at+8], data[at:at+8]) {
				sent++
			}
		}
		if theirs > 0 && sent > 0 {
			return true
		}
	}
	return false
}

// TestFloodIsBounded: fragments of datagrams that never become whole, in all
// shapes, hold no more than the bound, and go after the time.
func TestFloodIsBounded(t *testing.T) {
	shapes := map[string]func(i int) *segment.IP{
		"datagrams of one part":    func(i int) *segment.IP { return piece(uint16(i), 8, make([]byte, 8), true) },
		"large parts":              func(i int) *segment.IP { return piece(uint16(i), 8, make([]byte, 20000), true) },
		"small parts of a few":     func(i int) *segment.IP { return piece(uint16(i%4), 8+16*(i/4%4000), make([]byte, 8), true) },
		"overlaps, which stay out": func(i int) *segment.IP { return piece(uint16(i/2), 8+8*(i%2), make([]byte, 16), true) },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			var r Reassembler
			for i := range 6000 {
				if packet, _ := r.Add(0, shape(i)); packet != nil {
					t.Fatalf("fragment %d makes a packet", i)
				}
				if r.Bytes() > MaxBytes {
					t.Fatalf("%d bytes wait", r.Bytes())
				}
			}
			// An honest one still comes through.
			r.Add(1, piece(65535, 0, []byte("honest! "), true))
			if packet, _ := r.Add(1, piece(65535, 8, []byte("yes"), false)); packet == nil {
				t.Error("an honest datagram is lost")
			}
			_, failed := r.Add(Timeout+1, piece(1, 8, make([]byte, 8), true))
			if len(r.datagrams) != 1 || r.age.Len() != 1 || r.Bytes() > 1000 {
				t.Errorf("%d datagrams wait after the time, %d bytes, %d given up", len(r.datagrams), r.Bytes(), failed)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	for _, test := range []struct {
		after time.Duration
		whole bool
	}{{Timeout - 1, true}, {Timeout, false}} {
		var r Reassembler
		r.Add(5, piece(1, 0, make([]byte, 8), true))
		if packet, _ := r.Add(5+test.after, piece(1, 8, make([]byte, 8), false)); (packet != nil) != test.whole {
			t.Errorf("the end %v later: % x", test.after, packet)
		}
	}
}

// A header of 60 bytes in front of what fits behind one of 20 is more than IPv4
// can say (the "ping of death").
func TestTooLong(t *testing.T) {
	var r Reassembler
	r.Add(0, piece(1, 0, make([]byte, 65504), true))
	if packet, _ := r.Add(0, piece(1, 65504, make([]byte, 11), false)); len(packet) != 65535 {
		t.Errorf("the longest packet has %d bytes", len(packet))
	}
	r.Add(0, piece(2, 32000, make([]byte, 33515), false))
	if packet, failed := r.Add(0, piece(2, 0, make([]byte, 32000), true, make([]byte, 40)...)); packet != nil || failed != 1 {
		t.Errorf("a longer one: %d bytes, %d failed", len(packet), failed)
	}
	if packet, failed := r.Add(0, piece(3, 65528, make([]byte, 8), false)); packet != nil || failed != 1 {
		t.Errorf("a part beyond the end: %d bytes, %d failed", len(packet), failed)
	}
	if r.Bytes() != 0 {
		t.Errorf("%d bytes wait", r.Bytes())
	}
}

// Parts that overlap make no packet: neither where their bytes come to the length
// of the whole, with a hole, nor where the first or the last word would win.
func TestOverlaps(t *testing.T) {
	eights := func(n int) []byte { return bytes.Repeat([]byte("sent-by-"), n) }
	for name, parts := range map[string][]*segment.IP{
		"a hole for an overlap":     {piece(1, 0, eights(2), true), piece(1, 8, eights(2), true), piece(1, 32, eights(1), false)},
		"from behind":               {piece(1, 32, eights(1), false), piece(1, 8, eights(2), true), piece(1, 0, eights(2), true)},
		"rewritten before":          {piece(1, 8, []byte("rewrites"), true), piece(1, 8, eights(1), true), piece(1, 0, eights(1), true), piece(1, 16, eights(1), false)},
		"rewritten after":           {piece(1, 8, eights(1), true), piece(1, 8, []byte("rewrites"), true), piece(1, 0, eights(1), true), piece(1, 16, eights(1), false)},
		"shorter at the same place": {piece(1, 0, eights(2), true), piece(1, 0, eights(1), true), piece(1, 16, eights(1), false)},
		"beyond the end":            {piece(1, 8, eights(1), false), piece(1, 16, eights(1), true), piece(1, 0, eights(1), true)},
		"an end before what is":     {piece(1, 16, eights(1), true), piece(1, 8, eights(1), false), piece(1, 0, eights(1), true)},
		"the end doubts itself":     {piece(1, 8, eights(1), false), piece(1, 8, eights(1), true), piece(1, 0, eights(1), true)},
		"again after it was killed": {piece(1, 0, eights(1), true), piece(1, 0, []byte("rewrites"), true), piece(1, 0, eights(1), true), piece(1, 8, eights(1), false)},
	} {
		var r Reassembler
		failed := 0
		for i, p := range parts {
			packet, n := r.Add(0, p)
			failed += n
			if packet != nil {
				t.Errorf("%s: after part %d: %q", name, i, packet[20:])
			}
		}
		if failed != 1 {
			t.Errorf("%s: %d are counted as failed", name, failed)
		}
	}
}
