package app_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/app/apptest"
)

// server is a Server at work in a bubble.
type server struct {
	*app.Server
	t    *testing.T
	stop context.CancelFunc
	done chan error // what Serve returned
}

// serve has cfg served until stop is called, or the test ends.
func serve(t *testing.T, cfg app.Config, listeners ...net.Listener) *server {
	t.Helper()
	srv, err := app.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &server{srv, t, stop, make(chan error, 1)}
	go func() { s.done <- srv.Serve(ctx, listeners...) }()
	return s
}

// end stops the server and wants Serve to return at once, and without an error.
func (s *server) end() {
	s.t.Helper()
	start := time.Now()
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Fatalf("Serve returned %v", err)
	}
	if took := time.Since(start); took != 0 {
		s.t.Fatalf("Serve took %v to end", took)
	}
	if n := s.Serving(); n != 0 {
		s.t.Fatalf("%d connections served after the end", n)
	}
}

// wantServing waits until nothing happens any more, and wants n connections
// served by then.
func (s *server) wantServing(n int) {
	s.t.Helper()
	synctest.Wait()
	if got := s.Serving(); got != n {
		s.t.Fatalf("%d connections are served, want %d", got, n)
	}
}

func wantQueued(t *testing.T, l *apptest.Listener, n int) {
	t.Helper()
	synctest.Wait()
	if got := l.Queued(); got != n {
		t.Fatalf("%d connections in the queue, want %d", got, n)
	}
}

// connect makes n connections and returns the clients' ends.
func connect(l *apptest.Listener, n int) (clients []net.Conn) {
	for range n {
		clients = append(clients, l.Connect())
	}
	return clients
}

// unready hides that a listener has Ready: its loop waits inside accept.
type unready struct {
	net.Listener
	l *apptest.Listener
}

func hideReady(l *apptest.Listener) unready { return unready{l, l} }

func (u unready) AcceptContext(ctx context.Context) (net.Conn, error) { return u.l.AcceptContext(ctx) }

func TestNewRefuses(t *testing.T) {
	for want, cfg := range map[string]app.Config{
		`unknown application "ftp": known are http, fastcgi, echo, discard, hold`: {App: "ftp"},
		"-1 workers":   {Workers: -1},
		"work of -1s:": {Work: -time.Second},
	} {
		if _, err := app.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New(%+v): error %v, want %q", cfg, err, want)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, name := range app.Names() {
		if a, err := app.Lookup(name); err != nil || a.Name != name || a.About == "" {
			t.Errorf("Lookup(%q) = %v, %v", name, a, err)
		}
	}
	if a, err := app.Lookup(""); err != nil || a.Name != "http" {
		t.Errorf("the default is %v, %v", a, err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	for _, name := range app.Names() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, m := apptest.NewListener(), apptest.NewListener()
				s := serve(t, app.Config{App: name}, l, m)
				clients := append(connect(l, 2), connect(m, 1)...)
				s.wantServing(3)
				s.end()
				for _, c := range clients {
					if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
						t.Fatalf("the client reads %v", err)
					}
				}
				if c := l.Connect(); l.Queued() != 1 {
					t.Fatal("the listener was closed")
				} else {
					_ = c.Close()
				}
			})
		})
	}
}

func TestServeEndsWithItsListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		s := serve(t, app.Config{App: "echo"}, l, m)
		c := l.Connect()
		s.wantServing(1)
		_ = l.Close()
		d := m.Connect() // the other goes on
		s.wantServing(2)
		_ = m.Close()
		synctest.Wait()
		select {
		case err := <-s.done:
			t.Fatalf("Serve returned %v with connections open", err)
		default:
		}
		_ = c.Close()
		_ = d.Close()
		if err := <-s.done; err != nil {
			t.Fatalf("Serve returned %v", err)
		}
	})
}

func TestServeNothing(t *testing.T) {
	srv, err := app.New(app.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAcceptFailsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		for range 3 {
			l.Fail(syscall.EMFILE)
		}
		c := l.Connect()
		defer c.Close()
		s := serve(t, app.Config{App: "hold", Workers: 1}, l)
		time.Sleep(35*time.Millisecond - time.Nanosecond) // 5, 10 and 20 ms
		s.wantServing(0)
		time.Sleep(time.Nanosecond)
		s.wantServing(1)
		s.end()
	})
}

func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		s := serve(t, app.Config{App: "hold"}, l, m)
		c := m.Connect()
		s.wantServing(1)
		broken := errors.New("broken")
		l.Fail(broken)
		if err := <-s.done; !errors.Is(err, broken) || !strings.Contains(err.Error(), "accept failed") {
			t.Fatalf("Serve returned %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("the connection of the other listener: %v", err)
		}
	})
}

func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "hold", Workers: 2}, l)
		clients := connect(l, 5)
		s.wantServing(2)
		wantQueued(t, l, 3)
		_ = clients[0].Close()
		s.wantServing(2)
		wantQueued(t, l, 2)
		for _, c := range clients[1:] {
			_ = c.Close()
		}
		wantQueued(t, l, 0)
		s.wantServing(0)
		s.end()
	})
}

// With all workers busy nobody is inside accept.
func TestWorkersAreTakenBeforeAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "hold", Workers: 1}, hideReady(l))
		synctest.Wait()
		if n := l.Accepting(); n != 1 {
			t.Fatalf("%d in accept", n)
		}
		c := l.Connect()
		s.wantServing(1)
		if n := l.Accepting(); n != 0 {
			t.Fatalf("%d in accept with the only worker busy", n)
		}
		_ = c.Close()
		s.wantServing(0)
		if n := l.Accepting(); n != 1 {
			t.Fatalf("%d in accept with the worker back", n)
		}
		s.end()
	})
}

// A listener without connections keeps no worker from the others.
func TestWorkersAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		s := serve(t, app.Config{App: "hold", Workers: 1}, l, m)
		for _, from := range []*apptest.Listener{m, l, l, m, m} {
			c := from.Connect()
			s.wantServing(1)
			wantQueued(t, from, 0)
			_ = c.Close()
			s.wantServing(0)
		}
		s.end()
	})
}

func TestOffTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		gate := app.NewGate(app.Off)
		s := serve(t, app.Config{App: "hold", Gate: gate}, l, hideReady(m))
		connect(l, 3)
		connect(m, 4)
		time.Sleep(time.Hour)
		wantQueued(t, l, 3)
		wantQueued(t, m, 4)
		if n := l.Accepting() + m.Accepting(); n != 0 {
			t.Fatalf("%d in accept", n)
		}
		gate.Grant(4)
		s.wantServing(4)
		if n := l.Queued() + m.Queued(); n != 3 {
			t.Fatalf("%d connections left in the queues", n)
		}
		gate.Set(app.Auto)
		s.wantServing(7)
		s.end()
		_ = l.Close()
		_ = m.Close()
	})
}

// Setting the gate gets a loop out of accept; a connection that comes after it
// stays in the queue.
func TestOffLeavesAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "hold"}, hideReady(l))
		synctest.Wait()
		if n := l.Accepting(); n != 1 {
			t.Fatalf("%d in accept", n)
		}
		s.Gate().Set(app.Off)
		c := l.Connect() // even before the loop has noticed
		wantQueued(t, l, 1)
		s.wantServing(0)
		s.Gate().Set(app.Auto)
		s.wantServing(1)
		_ = c.Close()
		s.end()
	})
}

// A grant waits for a connection, whichever listener it comes to.
func TestGrantWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		gate := app.NewGate(app.Off)
		s := serve(t, app.Config{App: "hold", Gate: gate}, l, m)
		synctest.Wait()
		gate.Grant(2)
		synctest.Wait()
		if n := gate.Outstanding(); n != 2 {
			t.Fatalf("%d grants outstanding", n)
		}
		connect(m, 3)
		s.wantServing(2)
		wantQueued(t, m, 1)
		s.end()
		_ = m.Close()
	})
}

// A connection that leaves the queue while its loop waits at the gate uses up
// neither the grant nor the worker that the other listener needs.
func TestConnectionLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		gate := app.NewGate(app.Off)
		s := serve(t, app.Config{App: "hold", Gate: gate, Workers: 1}, l, m)
		c := l.Connect()
		synctest.Wait() // l's loop has the worker and waits at the gate
		d := m.Connect()
		synctest.Wait()
		l.Withdraw()
		gate.Grant(1)
		synctest.Wait()
		time.Sleep(time.Second)
		s.wantServing(1)
		wantQueued(t, m, 0)
		if n := gate.Outstanding(); n != 0 {
			t.Fatalf("%d grants outstanding", n)
		}
		_ = c.Close()
		_ = d.Close()
		s.end()
	})
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := apptest.NewListener(), apptest.NewListener()
		s := serve(t, app.Config{App: "hold", Gate: app.NewGate(rate(t, "30/m"))}, l, m)
		connect(l, 6)
		connect(m, 4)
		for n := 1; n <= 10; n++ {
			s.wantServing(n)
			time.Sleep(2*time.Second - time.Nanosecond)
			s.wantServing(n)
			time.Sleep(time.Nanosecond)
		}
		s.end()
	})
}

// The application starts with its work; the end of the server does not wait for
// it.
func TestWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "echo", Work: time.Minute, Workers: 1}, l)
		c := l.Connect()
		start := time.Now()
		if _, err := io.WriteString(c, "x"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited != time.Minute {
			t.Fatalf("read after %v", waited)
		}
		_ = c.Close()
		s.wantServing(0)

		defer l.Connect().Close()
		s.wantServing(1)
		s.end()
	})
}
