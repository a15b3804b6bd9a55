package e2e

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/backlog/profiles"
)

// many is how many clients do nothing good at once. Each had netstack hold a
// megabyte before there was a bound.
const many = 200

// roomy lets so many clients in at once.
func roomy(name string) func(*endpoint.Config) {
	return func(cfg *endpoint.Config) {
		cfg.App = name
		cfg.Profile = profiles.Sum
		cfg.Backlog.Backlog, cfg.Backlog.Somaxconn = 4*many, 4*many
	}
}

// dial connects clients, which are closed at the end.
func (l *lab) dial(n int) []net.Conn {
	l.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := l.ns.Dial(l.ctx, server)
		if err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	return conns
}

// heap is what lives on the heap.
func heap() uint64 {
	runtime.GC()
	runtime.GC() // what pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// queued waits until the connections' queues are as full as they get, and returns
// their bytes.
func (l *lab) queued(n int) int {
	l.Helper()
	for last, same := -1, 0; ; {
		sum, filled := 0, 0
		for _, s := range l.Sockets(2 * n).Sockets {
			if q := s.RecvQ + s.SendQ; s.State == "ESTAB" && q > 0 {
				sum, filled = sum+q, filled+1
			}
		}
		if same++; sum != last || filled < n {
			last, same = sum, 0
		}
		if same == 5 {
			return sum
		}
		select {
		case <-l.ctx.Done():
			l.Fatalf("%d of %d connections hold %d bytes", filled, n, sum)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// mayHold is what the buffers of that many connections may hold together: the
// pressure mark, and the least of each, with what a connection needs beside.
const mayHold = 48<<20 + many*(80<<10)

// Clients that ask for a gigabyte and read nothing do not have it kept for them.
// A client that reads is served among them, and so are they when they read.
func TestClientsThatReadNothing(t *testing.T) {
	l := up(t, roomy("http"))
	before := heap()
	clients := l.dial(many)
	for _, c := range clients {
		if _, err := io.WriteString(c, "GET /bytes/1000000000 HTTP/1.1\r\nHost: tcplab\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	queued := l.queued(many)
	if now := heap(); now > before+mayHold {
		t.Errorf("%d clients that read nothing: %d MB more on the heap, %d MB in send queues", many, (now-before)>>20, queued>>20)
	}
	if out := l.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "http://192.0.2.2/bytes/50000000"); out != "50000000" {
		t.Errorf("a client that reads gets %s bytes", out)
	}
	if n, err := io.CopyN(io.Discard, clients[0], 5<<20); err != nil {
		t.Errorf("a client that reads at last gets %d bytes: %v", n, err)
	}
}

// Clients that send to an application that does not read do not have it kept for
// them either, whether it sits still (hold), waits for a client that reads nothing
// (echo), or has not accepted them.
func TestClientsThatSendToNobody(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*endpoint.Config)
	}{
		{"hold", func(*endpoint.Config) {}},
		{"echo", func(*endpoint.Config) {}},
		{"discard", func(cfg *endpoint.Config) { cfg.Accept = app.Off }},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := up(t, func(cfg *endpoint.Config) {
				roomy(c.name)(cfg)
				c.change(cfg)
			})
			before := heap()
			clients := l.dial(many)
			data := make([]byte, 8<<20)
			var senders sync.WaitGroup
			for _, c := range clients {
				senders.Go(func() { _, _ = c.Write(data) }) // until it is closed
			}
			defer senders.Wait()
			defer func() {
				for _, c := range clients {
					_ = c.Close()
				}
			}()
			queued := l.queued(many)
			if now := heap(); now > before+mayHold+uint64(len(data)) {
				t.Errorf("%d clients that send: %d MB more on the heap, %d MB in queues", many, (now-before)>>20, queued>>20)
			}
		})
	}
}

// notes is a log that can be read while it is written.
type notes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notes) has(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.buf.String(), text)
}

// until waits for a condition.
func (l *lab) until(what string, ok func() bool) {
	l.Helper()
	for !ok() {
		select {
		case <-l.ctx.Done():
			l.Fatalf("waiting in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A client that asks for much and reads nothing is reset after user-timeout,
// although its kernel answers each window probe; it is counted, and told. So is
// one whose answer was all written and is only waiting to be read.
func TestClientsThatReadNothingAreReset(t *testing.T) {
	for _, path := range []string{"/bytes/1000000000", "/bytes/500000"} {
		t.Run(path, func(t *testing.T) {
			log := new(notes)
			l := up(t, func(cfg *endpoint.Config) {
				cfg.Timeouts.User = 500 * time.Millisecond
				cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
			})
			conn := l.dial(1)[0]
			if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: tcplab\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			l.until("the connection is gone", func() bool { return l.Status(0).Connections == 0 && l.Counters().Counters["TcpLabAccepts"] == 1 })
			if n := l.Counters().Counters["TcpExtTCPAbortOnTimeout"]; n != 1 {
				t.Errorf("TcpExtTCPAbortOnTimeout is %d, want 1", n)
			}
			if _, err := io.Copy(io.Discard, conn); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("the client reads %v at the end, want a reset", err)
			}
			l.until("the log tells of it", func() bool { return log.has("user-timeout") })
		})
	}
}

// Clients that vanish are gone after keepalive, in whatever an application does
// with them, and while they wait for accept.
func TestClientsThatVanish(t *testing.T) {
	for _, c := range []struct {
		app     string
		change  func(*endpoint.Config)
		request string
	}{
		{"hold", nil, ""},
		{"hold", nil, "something"},
		{"echo", nil, "something"},
		{"discard", nil, "something"},
		{"http", nil, ""},
		{"http", nil, "GET /sleep/1h HTTP/1.1\r\nHost: tcplab\r\n\r\n"},
		{"http", nil, "POST /upload HTTP/1.1\r\nHost: tcplab\r\nContent-Length: 1000\r\n\r\nhalf"},
		{"fastcgi", nil, ""},
		{"http", acceptOff, ""},
	} {
		name := c.app
		if c.change != nil {
			name += ", not accepted"
		}
		t.Run(name, func(t *testing.T) {
			l := up(t, func(cfg *endpoint.Config) {
				cfg.App = c.app
				cfg.Timeouts.KeepaliveTime, cfg.Timeouts.KeepaliveInterval, cfg.Timeouts.KeepaliveProbes = 300*time.Millisecond, 100*time.Millisecond, 3
				if c.change != nil {
					c.change(cfg)
				}
			})
			conn := l.dial(1)[0]
			if c.request != "" {
				if _, err := io.WriteString(conn, c.request); err != nil {
					t.Fatal(err)
				}
			}
			// A client that is there answers the probes.
			l.until("probes are sent", func() bool { return l.Counters().Counters["TcpExtTCPKeepAlive"] >= 5 })
			if n := l.Status(0).Connections; n != 1 {
				t.Fatalf("%d connections while the client answers probes", n)
			}
			l.run("ip", "link", "set", "tcplab0", "down")
			l.until("the connection is gone", func() bool { return l.Status(0).Connections == 0 })
			if s := l.Status(0); s.Listeners[0].Completed.Length != 0 {
				t.Errorf("%d connections are left in the completed queue", s.Listeners[0].Completed.Length)
			}
			if n := l.Counters().Counters["TcpExtTCPAbortOnTimeout"]; n != 1 {
				t.Errorf("TcpExtTCPAbortOnTimeout is %d, want 1", n)
			}
		})
	}
}
