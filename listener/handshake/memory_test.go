package handshake_test

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// synFrom is a SYN of the i-th client.
func synFrom(i int) segment.Segment {
	addr := binary.BigEndian.AppendUint32(nil, 10<<24+uint32(i/60_000))
	client := netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), uint16(1024+i%60_000))
	return segment.Segment{
		Tuple: tupleOf(client), Seq: uint32(i), Flags: segment.SYN, Window: 64240,
		Options: segment.Options{MSS: 1460, HasMSS: true, SACKPermitted: true, HasTimestamps: true, WindowScale: 7, HasWindowScale: true},
	}
}

// open is what a profile admits for as long as there is memory.
func open(n int) backlog.Settings { return backlog.Settings{Backlog: n, Somaxconn: n} }

// BenchmarkHalfOpenMemory says how many bytes a half-open entry takes.
func BenchmarkHalfOpenMemory(b *testing.B) {
	const entries = 100_000
	var before, after runtime.MemStats
	perEntry := 0.0
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		m := newMachine(profiles.Sum, open(entries))
		var out handshake.Output
		for i := range entries {
			syn := synFrom(i)
			m.Segment(time.Duration(i)*time.Microsecond, &syn, &out)
			out.Reset()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if counts, _, _ := m.Queues(); counts.Incomplete != entries {
			b.Fatalf("%+v queued, want %d", counts, entries)
		}
		perEntry = float64(after.HeapAlloc-before.HeapAlloc) / entries
		runtime.KeepAlive(m)
	}
	b.ReportMetric(perEntry, "B/entry")
}

// BenchmarkHalfOpen is a SYN that is admitted, its SYN-ACK, and the final ACK.
func BenchmarkHalfOpen(b *testing.B) {
	m := newMachine(profiles.Sum, open(1_000_000))
	var out handshake.Output
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := time.Duration(i) * time.Microsecond
		s := synFrom(i % 1_000_000)
		m.Segment(now, &s, &out)
		s.Flags, s.Seq, s.Ack = segment.ACK, s.Seq+1, out.Send[0].Seq+1
		m.Segment(now, &s, &out)
		m.Accept(now, out.Adopt, &out)
		out.Reset()
	}
}

// BenchmarkDroppedSYN is a SYN at a full queue.
func BenchmarkDroppedSYN(b *testing.B) {
	drop := droppedSYN(b)
	b.ReportAllocs()
	for b.Loop() {
		drop()
	}
}

// A flood at a full queue costs no memory.
func TestDroppedSYNAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(1000, droppedSYN(t)); n != 0 {
		t.Errorf("a dropped SYN makes %v allocations", n)
	}
}

// droppedSYN fills a queue and returns what drops one SYN more.
func droppedSYN(t testing.TB) func() {
	m := newMachine(profiles.BSD, settings(0))
	var out handshake.Output
	syn := synFrom(0)
	m.Segment(0, &syn, &out)
	syn = synFrom(1)
	return func() {
		out.Reset()
		m.Segment(0, &syn, &out)
		if len(out.Events) != 1 || out.Events[0].Kind != handshake.SYNDropped || len(out.Send) != 0 {
			t.Fatalf("the SYN was not dropped: %+v", out)
		}
	}
}
