package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
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

// 100,000 connections are opened, used and closed, every other one with a RST;
// then everything is as it was before.
func TestConnectionsComeAndGo(t *testing.T) {
	const clients = 32 // at once
	l := up(t, func(cfg *endpoint.Config) { cfg.Backlog.Backlog, cfg.App = 128, "echo" })
	// Clients that close first would be in TIME-WAIT for a minute, and hold their
	// ports.
	l.run("sysctl", "-qw", "net.ipv4.tcp_max_tw_buckets=16")
	if err := l.ns.Do(func() error { return converse(0) }); err != nil {
		t.Fatal(err)
	}
	l.settled(footprint{goroutines: 1000, descriptors: 1000, heap: 1 << 40}) // all but the first connection's end
	before := l.footprint()

	var next atomic.Int64
	errs := make([]error, clients)
	var running sync.WaitGroup
	for i := range errs {
		running.Go(func() {
			errs[i] = l.ns.Do(func() error {
				for n := next.Add(1); n <= churned; n = next.Add(1) {
					if err := converse(n); err != nil {
						return fmt.Errorf("client %d: %w", n, err)
					}
				}
				return nil
			})
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	l.settled(before)
	s := l.Status(0)
	if n := s.Totals["PassiveOpens"]; n != churned+1 {
		t.Errorf("%d connections were completed, want %d", n, churned+1)
	}
	for _, never := range []string{"AdoptionsFailed", "UnaskedSYNACKs", "OrphanedTranslations"} {
		if n := s.Link[never]; n != 0 {
			t.Errorf("%s is %d", never, n)
		}
	}
}

// converse is the n-th client, in the namespace of the calling thread: it
// connects, has a word echoed, and closes, with a RST if n is odd.
func converse(n int64) (err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	patience := unix.Timeval{Sec: 60}
	word := fmt.Sprintf("word %d", n)
	got := make([]byte, len(word))
	for _, step := range []func() error{
		func() error { return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience) },
		func() error { return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &patience) },
		func() error {
			return unix.Connect(fd, &unix.SockaddrInet4{Addr: server.Addr().As4(), Port: int(server.Port())})
		},
		func() error { _, err := unix.Write(fd, []byte(word)); return err },
		func() error { _, _, err := unix.Recvfrom(fd, got, unix.MSG_WAITALL); return err },
		func() error {
			if n%2 == 0 {
				return nil
			}
			return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		},
	} {
		err := step()
		for errors.Is(err, unix.EINTR) { // the runtime's signals: sockets with a timeout are not restarted (signal(7))
			err = step()
		}
		if err != nil {
			return err
		}
	}
	if string(got) != word {
		return fmt.Errorf("%q came back as %q", word, got)
	}
	return nil
}
