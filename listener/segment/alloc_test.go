package segment_test

import (
	"testing"

	"tcplab/listener/segment"
)

// A flood costs the collector nothing: reading and answering a segment
// allocates nothing.
func TestNoAllocations(t *testing.T) {
	for name, tuple := range tuples {
		s := example(tuple)
		packet := segment.AppendRequest(nil, &s)
		wrong := segment.AppendRequest(nil, &s)
		wrong[len(wrong)-1]++
		buffer := make([]byte, 0, len(packet))
		var parsed segment.Segment
		for what, run := range map[string]func(){
			"Parse":                     func() { _ = segment.Parse(packet, &parsed) },
			"Parse of a wrong checksum": func() { _ = segment.Parse(wrong, &parsed) },
			"AppendReply":               func() { buffer = segment.AppendReply(buffer[:0], &s) },
		} {
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%s, %s: %v allocations", name, what, n)
			}
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for name, tuple := range tuples {
		b.Run(name, func(b *testing.B) {
			good := example(tuple)
			packet := segment.AppendRequest(nil, &good)
			var s segment.Segment
			b.ReportAllocs()
			for b.Loop() {
				if err := segment.Parse(packet, &s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendReply(b *testing.B) {
	s := example(tuples["IPv4"])
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		buffer = segment.AppendReply(buffer[:0], &s)
	}
}
