package handshake_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// BenchmarkGrowth says what a SYN costs by the size of the queue: the time to
// admit one, to drop one when it is full, and the bytes that an entry takes.
// scripts/bench.sh plots it.
func BenchmarkGrowth(b *testing.B) {
	for _, size := range []int{8, 64, 512, 4096, 32768, 262144, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var admit, drop time.Duration
			var bytes float64
			rounds := max(200_000/size, 1) // small queues are too fast for the clock
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				machines := make([]*handshake.Machine, rounds)
				began := time.Now()
				for i := range machines {
					machines[i] = newMachine(profiles.Sum, open(size))
					feed(machines[i], 0, size)
				}
				admit = time.Since(began)
				runtime.GC()
				runtime.ReadMemStats(&after)
				bytes = float64(after.HeapAlloc) - float64(before.HeapAlloc)
				began = time.Now()
				for _, m := range machines {
					feed(m, size, size)
				}
				drop = time.Since(began)
				runtime.KeepAlive(machines)
			}
			n := float64(rounds * size)
			b.ReportMetric(float64(admit)/n, "ns/admitted")
			b.ReportMetric(float64(drop)/n, "ns/dropped")
			b.ReportMetric(bytes/n, "B/entry")
		})
	}
}

// feed sends n SYNs of as many clients.
func feed(m *handshake.Machine, first, n int) {
	var out handshake.Output
	for i := range n {
		syn := synFrom(first + i)
		m.Segment(time.Duration(i)*time.Microsecond, &syn, &out)
		out.Reset()
	}
}
