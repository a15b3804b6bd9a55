package app

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// The kernel's listeners have SetDeadline instead of AcceptContext: an accept
// that was called off leaves them as they were.
func TestAcceptIsCalledOff(t *testing.T) {
	l := listenLoopback(t)
	for range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := accept(ctx, l); !errors.Is(err, errCalledOff) {
			t.Fatalf("accept: %v", err)
		}
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := accept(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		_ = client.Close()
	}
}

// bare is a net.Listener that can nothing else.
type bare struct{ net.Listener }

func TestAcceptOnABareListener(t *testing.T) {
	l := bare{listenLoopback(t)}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := ready(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	conn, err := accept(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	_ = l.Close()
	if _, err := accept(t.Context(), l); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("accept after Close: %v", err)
	}
}

func TestWhenDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	called := false
	stop := whenDone(ctx, func() { called = true })
	cancel()
	if !stop() || !called {
		t.Fatal("f was not called before stop returned")
	}
	stop = whenDone(t.Context(), func() { t.Error("called although it was stopped") })
	if stop() {
		t.Fatal("stop says that f was called")
	}
}
