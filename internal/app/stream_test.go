package app_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/app/apptest"
)

// dial connects to a site as a TCP client.
func (s *site) dial() *net.TCPConn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// What was sent is back before the end, on many connections at once.
func TestEcho(t *testing.T) {
	s := newSite(t, app.Config{App: "echo"})
	sent := make([]byte, 2<<20)
	_, _ = rand.Read(sent)
	var clients sync.WaitGroup
	for range 4 {
		conn := s.dial()
		clients.Go(func() {
			if _, err := conn.Write(sent); err != nil {
				t.Error(err)
			}
			_ = conn.CloseWrite()
		})
		clients.Go(func() {
			if got, err := io.ReadAll(conn); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d of %d bytes came back, or others: %v", len(got), len(sent), err)
			}
		})
	}
	clients.Wait()
}

func TestDiscard(t *testing.T) {
	s := newSite(t, app.Config{App: "discard"})
	conn := s.dial()
	if _, err := io.Copy(conn, zeros(8<<20)); err != nil {
		t.Fatal(err)
	}
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
		t.Fatalf("%d bytes came back, %v", len(got), err)
	}
}

func TestReset(t *testing.T) {
	for _, name := range app.Names() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, app.Config{App: name, Workers: 1})
			for range 3 { // each needs the worker that the one before had
				conn := s.dial()
				request := []byte("GET /sleep/1h HTTP/1.1\r\nHost: x\r\n\r\n")
				if name == "fastcgi" { // which would end over this: a record's header, its content to come
					request = []byte{1, fcgiBegin, 0, 1, 0, 8, 0, 0}
				}
				if _, err := conn.Write(request); err != nil {
					t.Fatal(err)
				}
				for s.Serving() == 0 {
					time.Sleep(time.Millisecond)
				}
				_ = conn.SetLinger(0)
				_ = conn.Close()
				for s.Serving() > 0 {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "hold"}, l)
		c := l.Connect()
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(24 * time.Hour))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("something came after a day: %v", err)
		}
		s.wantServing(1)
		_ = c.Close()
		s.wantServing(0)
		s.end()
	})
}

// A client that sends without end finds the window closed, not its data read.
func TestHoldDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := apptest.NewListener()
		s := serve(t, app.Config{App: "hold"}, l)
		c := l.Connect()
		_ = c.SetWriteDeadline(time.Now().Add(time.Hour))
		n, err := io.Copy(c, zeros(1<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > 128<<10 {
			t.Fatalf("%d bytes taken, %v", n, err)
		}
		s.end()
	})
}
