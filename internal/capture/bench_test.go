package capture

import (
	"path/filepath"
	"sync"
	"testing"

	"tcplab/internal/outfile"
	"tcplab/internal/trace"
	"tcplab/tun/offload"
)

// What a full-sized packet costs from the stack to the file.
func BenchmarkPacket(b *testing.B) {
	var r trace.Recorder
	e, err := NewEncoder(Info{Dev: "tcplab0", Snaplen: Snaplen})
	if err != nil {
		b.Fatal(err)
	}
	f, err := Create(filepath.Join(b.TempDir(), "x.pcapng"), outfile.Rotation{Size: 100_000_000, Keep: 1})
	if err != nil {
		b.Fatal(err)
	}
	data := packet(1460).Data
	s := r.Subscribe(Ring, Snaplen)
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := Copy(b.Context(), f, s, e); err != nil {
			b.Error(err)
		}
	})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r.Out(data, offload.Header{})
	}
	r.Close()
	writer.Wait()
	b.ReportMetric(float64(e.Lost)/float64(e.Packets+e.Lost), "lost/packet")
}
