package segment_test

import (
	"testing"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

// Places on the circle of sequence numbers where arithmetic goes wrong first.
var corners = []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<31 + 1, 1<<32 - 2, 1<<32 - 1}

// RFC 9293 section 3.4: comparisons are modulo 2^32.
func TestBeforeAndAfterGoAroundTheCircle(t *testing.T) {
	for _, a := range corners {
		if segment.Before(a, a) || segment.After(a, a) {
			t.Errorf("%d is before or after itself", a)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.OneOf(rapid.Uint32(), rapid.SampledFrom(corners)).Draw(t, "a")
		b := a + rapid.Uint32Range(1, 1<<31-1).Draw(t, "distance")
		switch {
		case !segment.Before(a, b), !segment.After(b, a), segment.Before(b, a), segment.After(a, b):
			t.Fatalf("%d should be before %d and nothing else", a, b)
		}
	})
}

// RFC 9293 section 3.10.7.4: "There are four cases for the acceptability test
// for an incoming segment".
func TestInWindowEqualsTheSetOfAcceptableNumbers(t *testing.T) {
	const reach, maxWindow, maxLength = 9, 6, 6
	for _, corner := range corners {
		for shift := range uint32(5) {
			next := corner + shift - 2
			for window := range uint32(maxWindow) {
				acceptable := make(map[uint32]bool)
				for i := range window {
					acceptable[next+i] = true
				}
				for distance := -reach; distance <= reach; distance++ {
					seq := next + uint32(distance)
					for n := range uint32(maxLength) {
						want := acceptable[seq] || n > 0 && acceptable[seq+n-1]
						if window == 0 && n == 0 {
							want = seq == next
						}
						if got := segment.InWindow(seq, n, next, window); got != want {
							t.Fatalf("InWindow(seq %d, len %d, next %d, window %d) = %v", seq, n, next, window, got)
						}
					}
				}
			}
		}
	}
}

// RFC 9293 section 3.3.1: SEG.LEN counts SYN and FIN.
func TestLenCountsSYNAndFIN(t *testing.T) {
	for _, test := range []struct {
		flags segment.Flags
		data  int
		want  uint32
	}{
		{segment.ACK, 0, 0},
		{segment.ACK, 5, 5},
		{segment.SYN, 0, 1},
		{segment.FIN | segment.ACK, 0, 1},
		{segment.SYN | segment.FIN, 5, 7},
		{segment.RST | segment.PSH | segment.URG | segment.ECE | segment.CWR, 0, 0},
	} {
		s := segment.Segment{Flags: test.flags, Payload: make([]byte, test.data)}
		if got := s.Len(); got != test.want {
			t.Errorf("Len of %v with %d bytes: %d, want %d", test.flags, test.data, got, test.want)
		}
	}
}
