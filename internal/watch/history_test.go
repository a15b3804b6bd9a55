package watch

import (
	"math"
	"testing"
	"time"
)

func counters(syns, drops, accepts uint64) map[string]uint64 {
	return map[string]uint64{"SYNsReceived": syns, "ListenDrops": drops, "Accepts": accepts}
}

func after(d time.Duration) time.Time { return noon.Add(d) }

// A rate is what came within the last second, between samples as if evenly.
func TestRates(t *testing.T) {
	var h history
	if h.rate(noon) != (rates{}) || h.perSecond(5) != nil {
		t.Error("a rate without samples")
	}
	h.add(after(0), counters(100, 10, 0))
	if h.rate(after(0)) != (rates{}) {
		t.Error("a rate with one sample")
	}
	h.add(after(500*time.Millisecond), counters(150, 10, 0))
	if got := h.rate(after(500 * time.Millisecond)); got.syns != 100 || got.drops != 0 {
		t.Errorf("rate after half a second %+v, want 100 SYN/s", got)
	}
	h.add(after(2*time.Second), counters(150, 25, 30))
	if got := h.rate(after(2 * time.Second)); got.syns != 0 || math.Abs(got.drops-10) > 1e-9 || math.Abs(got.accepts-20) > 1e-9 {
		t.Errorf("rate after two seconds %+v, want 0, 10, 20", got)
	}
	seconds := h.perSecond(10)
	if len(seconds) != 2 || math.Abs(seconds[0].syns-50) > 1e-9 || math.Abs(seconds[1].accepts-20) > 1e-9 {
		t.Errorf("rates per second %+v", seconds)
	}
}

// Repeated SYNs are SYNs.
func TestRepeatedSYNsCount(t *testing.T) {
	var h history
	h.add(after(0), map[string]uint64{})
	h.add(after(time.Second), map[string]uint64{"SYNsReceived": 3, "SYNsRepeated": 4})
	if got := h.rate(after(time.Second)); got.syns != 7 {
		t.Errorf("%v SYN/s, want 7", got.syns)
	}
}

// Counters that go backwards begin anew; old samples are forgotten.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	for n := range 10000 {
		h.add(after(time.Duration(n)*100*time.Millisecond), counters(uint64(n), 0, 0))
	}
	if most := int(historyTime/(100*time.Millisecond)) + 2; len(h.samples) > most {
		t.Errorf("%d samples are kept, want at most %d", len(h.samples), most)
	}
	h.add(after(2000*time.Second), counters(0, 0, 0))
	if len(h.samples) != 1 {
		t.Errorf("%d samples after a new beginning, want 1", len(h.samples))
	}
}

func TestSparkline(t *testing.T) {
	for _, test := range []struct {
		values []float64
		width  int
		want   string
	}{
		{nil, 3, "   "},
		{[]float64{0, 0}, 3, " ▁▁"},
		{[]float64{0, 1, 7}, 3, "▁▂█"},
		{[]float64{9, 0.001, 7, 3.5}, 3, "▂█▄"},
		{[]float64{1}, 0, ""},
	} {
		if got := sparkline(test.values, test.width); got != test.want {
			t.Errorf("sparkline of %v in %d: %q, want %q", test.values, test.width, got, test.want)
		}
	}
}
