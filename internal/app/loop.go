package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// run is one call of Serve.
type run struct {
	*Server
	app         application
	connections sync.WaitGroup // a goroutine each
}

// Waits after an accept that failed for a passing reason, each twice the last.
const (
	firstBackoff = 5 * time.Millisecond
	lastBackoff  = time.Second
)

// loop takes connections off a listener until ctx ends or l is closed, or fails
// for good.
func (r *run) loop(ctx context.Context, l net.Listener) error {
	backoff := firstBackoff
	for {
		conn, err := r.next(ctx, l)
		switch {
		case err == nil:
			backoff = firstBackoff
			r.connections.Go(func() { r.serve(ctx, conn) })
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil //nolint:nilerr // an end is no failure
		case errors.Is(err, errCalledOff):
		case isTemporary(err):
			r.config.Logger.Warn("accept failed, trying again", "addr", l.Addr(), "error", err, "in", backoff)
			_ = sleep(ctx, backoff)
			backoff = min(2*backoff, lastBackoff)
		default:
			return fmt.Errorf("app: %s on %v: accept failed: %w", r.App().Name, l.Addr(), err)
		}
	}
}

// next waits for a connection and takes it, with a worker who is to serve it.
func (r *run) next(ctx context.Context, l net.Listener) (net.Conn, error) {
	if err := ready(ctx, l); err != nil {
		return nil, err
	}
	if err := r.workers.take(ctx); err != nil {
		return nil, err
	}
	conn, err := r.take(ctx, l)
	if err != nil {
		r.workers.release()
	}
	return conn, err
}

// take takes a connection when the gate allows it.
func (r *run) take(ctx context.Context, l net.Listener) (net.Conn, error) {
	inside, leave, err := r.Gate().Enter(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := accept(inside, l)
	leave(err == nil)
	return conn, err
}

// serve has a connection served and closed, and its worker released.
func (r *run) serve(ctx context.Context, conn net.Conn) {
	defer r.workers.release()
	r.serving.Add(1)
	defer r.serving.Add(-1)
	defer conn.Close()
	stop := whenDone(ctx, func() { conn.Close() })
	defer stop()
	defer func() {
		if failure := recover(); failure != nil {
			r.panicked(conn, failure)
		}
	}()
	r.app.serve(ctx, conn)
}

// panicked ends a connection whose application has panicked: with a RST, as when
// the process of a server dies. The others go on.
func (r *run) panicked(conn net.Conn, failure any) {
	r.config.Logger.Error("the application panicked: its connection is reset, the others go on",
		"app", r.App().Name, "client", conn.RemoteAddr(), "panic", failure, "stack", string(debug.Stack()))
	if c, ok := conn.(interface{ Abort() }); ok {
		c.Abort()
	}
}

// isTemporary reports whether an error of accept says that trying again helps,
// as it does when descriptors ran out.
func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// sleep waits for d, or returns the error of ctx when that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
