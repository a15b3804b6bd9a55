package tcpmem_test

import (
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tcplab/stack/tcpmem"
)

const initial = 1 << 20

// greedy reserves as much as a connection with this history gets.
func greedy(p *tcpmem.Pool, held, delivered int) int {
	for {
		n := p.Reserve(tcpmem.Want{Held: held, More: 64 << 10, Initial: initial, Delivered: delivered})
		if n == 0 {
			return held
		}
		held += n
	}
}

// Clients that read nothing, however many, leave a fast one its whole buffer.
func TestFastAmongThousandsThatStall(t *testing.T) {
	for _, stalled := range []int{0, 10, 1000, 10_000, 100_000} {
		p := tcpmem.NewPool(tcpmem.LimitsFor(0))
		l := p.Limits()
		for range stalled {
			greedy(p, 0, 0)
		}
		if p.Total() > l.Pressure {
			t.Errorf("%d stalled connections hold %d bytes beyond their minima, more than %d", stalled, p.Total(), l.Pressure)
		}
		if got := greedy(p, 0, 100<<20); got < l.Max/8*5 {
			t.Errorf("among %d stalled connections a fast one gets %d bytes", stalled, got)
		}
	}
}

// Few connections get as much as they ask for.
func TestFewAreNotLimited(t *testing.T) {
	p := tcpmem.NewPool(tcpmem.LimitsFor(0))
	for i := range 8 {
		if got := greedy(p, 0, 0); got != initial {
			t.Errorf("connection %d gets %d bytes", i, got)
		}
	}
}

// What was delivered lately is what makes a connection's buffer grow.
func TestProgressBuysRoom(t *testing.T) {
	p := tcpmem.NewPool(tcpmem.LimitsFor(0))
	for range 50_000 {
		greedy(p, 0, 0)
	}
	slow, fast := greedy(p, 0, 10<<10), greedy(p, 0, 1<<20)
	if slow != 40<<10 || fast < 2<<20 {
		t.Errorf("a connection that delivered 10 kB may hold %d bytes, one that delivered 1 MB %d", slow, fast)
	}
}

func TestLimitsFor(t *testing.T) {
	for _, c := range []struct{ memory, pressure int64 }{
		{0, 24 << 20}, {24 << 30, 24 << 20}, {512 << 20, 24 << 20}, {256 << 20, 16 << 20}, {64 << 20, 4 << 20}, {1 << 20, 1 << 20},
	} {
		l := tcpmem.LimitsFor(c.memory)
		if l.Pressure != c.pressure || l.Low >= l.Pressure || l.Pressure >= l.High {
			t.Errorf("%d bytes of memory: %+v", c.memory, l)
		}
	}
}

// Memory pressure is counted when it begins, and not again before it has ended.
func TestPressures(t *testing.T) {
	p := tcpmem.NewPool(tcpmem.LimitsFor(0))
	l := p.Limits()
	fill := func() {
		for p.Total() <= l.Pressure {
			p.Reserve(tcpmem.Want{Held: l.Min, More: 1 << 20, Delivered: 1 << 30})
		}
	}
	release := func(n int64) { p.Release(l.Min+int(n), int(n)) }
	fill()
	release(p.Total() - l.Low) // not below
	fill()
	if n := p.Pressures(); n != 1 {
		t.Errorf("counted %d times, want once", n)
	}
	release(p.Total() - l.Low + 1)
	fill()
	if n := p.Pressures(); n != 2 {
		t.Errorf("counted %d times, want twice", n)
	}
}

// Whatever connections do in whatever order, together they hold no more than
// High and Min for each, and none that holds nothing is refused.
func TestNeverAboveTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		memory := rapid.Int64Range(1, 4<<30).Draw(t, "memory")
		p := tcpmem.NewPool(tcpmem.LimitsFor(memory))
		l := p.Limits()
		held := make([]int, rapid.IntRange(1, 3000).Draw(t, "connections"))
		var sum int64
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
				w := tcpmem.Want{
					Held: held[i], More: rapid.IntRange(1, 8<<20).Draw(t, "more"),
					Initial: rapid.IntRange(0, 1<<30).Draw(t, "initial"), Delivered: rapid.IntRange(0, 1<<30).Draw(t, "delivered"),
				}
				n := p.Reserve(w)
				if n < 0 || n > w.More || held[i] == 0 && n < min(w.More, l.Min) {
					t.Fatalf("%+v of %d: %d bytes", w, p.Total(), n)
				}
				held[i] += n
				sum += int64(n)
			},
			"everybody": func(t *rapid.T) {
				delivered := rapid.IntRange(0, 1<<30).Draw(t, "delivered")
				for i := range held {
					now := greedy(p, held[i], delivered)
					sum += int64(now - held[i])
					held[i] = now
				}
			},
			"release": func(t *rapid.T) {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "i")
				n := rapid.IntRange(0, held[i]).Draw(t, "n")
				p.Release(held[i], n)
				held[i] -= n
				sum -= int64(n)
			},
			"": func(t *rapid.T) {
				if p.Total() > l.High || p.Total() < 0 || sum > p.Total()+int64(len(held)*l.Min) {
					t.Fatalf("%d connections hold %d bytes, counted as %d, of %+v", len(held), sum, p.Total(), l)
				}
			},
		})
	})
}

// The bound holds when all reserve at once.
func TestConcurrently(t *testing.T) {
	p := tcpmem.NewPool(tcpmem.LimitsFor(64 << 20))
	l := p.Limits()
	const connections = 64
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			for range 200 {
				held := greedy(p, 0, i<<20)
				if total := p.Total(); total > l.High {
					t.Errorf("%d bytes are held", total)
				}
				p.Release(held, held)
			}
		})
	}
	all.Wait()
	if p.Total() != 0 {
		t.Errorf("%d bytes are left", p.Total())
	}
}
