package stack

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/stack/tcpmem"
)

// A client that acknowledges one byte in a while is not stalled; one that
// acknowledges nothing is, however much it says.
func TestStall(t *testing.T) {
	var s stall
	now := time.Unix(1_000_000, 0)
	step := func(una uint32, outstanding bool) time.Duration {
		now = now.Add(time.Second)
		return s.observe(now, una, outstanding)
	}
	for i := range uint32(1000) {
		if d := step(i, true); d != 0 {
			t.Fatalf("a client that goes on is stalled for %v", d)
		}
	}
	for i := range 100 {
		if d := step(999, true); d != time.Duration(i+1)*time.Second {
			t.Fatalf("a client that stopped %d seconds ago is stalled for %v", i+1, d)
		}
	}
	if d := step(1000, false); d != 0 {
		t.Errorf("a client that has all is stalled for %v", d)
	}
	if d := step(1000, true); d != 0 {
		t.Errorf("a client is stalled for %v by what was just sent", d)
	}
}

func TestRate(t *testing.T) {
	var r rate
	now := time.Unix(1_000_000, 0)
	want := func(bytes int) {
		t.Helper()
		if got := r.value(now); got != bytes {
			t.Errorf("%d bytes lately, want %d", got, bytes)
		}
	}
	want(0)
	r.add(500)
	want(500)
	now = now.Add(time.Second)
	r.add(100)
	want(600)
	now = now.Add(900 * time.Millisecond)
	r.add(100)
	want(600) // of the second before
	now = now.Add(time.Hour)
	want(0)
}

// Whatever is written and acknowledged, what is counted is what is not
// acknowledged, and nothing is left at the end.
func TestSendBufferCountsWhatIsHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pool := tcpmem.NewPool(tcpmem.LimitsFor(rapid.Int64Range(1, 2<<30).Draw(t, "memory")))
		b := sendBuffer{pool: pool, unread: rapid.IntRange(0, kernelTakes).Draw(t, "unread")}
		now := time.Unix(1_000_000, 0)
		type piece struct{ end, memory int }
		var pieces []piece
		written, acked := 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				n := rapid.IntRange(1, 1<<20).Draw(t, "n")
				got, wait := b.reserve(n, now)
				if (got == 0) != (wait != nil) || got > n || got > maxWrite {
					t.Fatalf("of %d bytes %d are granted, wait %v", n, got, wait != nil)
				}
				if got == 0 && written == acked {
					t.Fatal("nothing is outstanding, and yet a write has to wait: nothing would wake it")
				}
				if got > 0 {
					written += got
					pieces = append(pieces, piece{written, memoryOf(got)})
				}
			},
			"acknowledge": func(t *rapid.T) {
				n := rapid.IntRange(0, written-acked).Draw(t, "n")
				acked += n
				b.acknowledged(uint32(acked), n)
			},
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			},
			"": func(t *rapid.T) {
				held := 0
				for _, p := range pieces {
					if p.end > acked {
						held += p.memory
					}
				}
				if b.held != held || pool.Total() != int64(max(held-tcpmem.Min, 0)) {
					t.Fatalf("%d bytes are counted, %d by the pool, want %d", b.held, pool.Total(), held)
				}
			},
		})
		b.end()
		if pool.Total() != 0 {
			t.Fatalf("%d bytes are left", pool.Total())
		}
	})
}

// Who waits for room is woken when the client acknowledges, and when the
// connection ends.
func TestSendBufferWakes(t *testing.T) {
	for name, wake := range map[string]func(*sendBuffer){
		"acknowledged": func(b *sendBuffer) { b.acknowledged(b.queued, int(b.queued)) },
		"closed":       (*sendBuffer).finish,
		"gone":         (*sendBuffer).end,
	} {
		b := sendBuffer{pool: tcpmem.NewPool(tcpmem.LimitsFor(1))}
		var changed <-chan struct{}
		for changed == nil {
			_, changed = b.reserve(maxWrite, time.Now())
		}
		wake(&b)
		select {
		case <-changed:
		default:
			t.Errorf("%s: nobody is woken", name)
		}
		if n, _ := b.reserve(1, time.Now()); n != 1 {
			t.Errorf("%s: nothing can be written", name)
		}
	}
}
