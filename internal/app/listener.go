package app

import (
	"context"
	"errors"
	"net"
	"time"
)

// What a listener may be able to do beside net.Listener; see the package's
// comment.
type (
	contextAccepter interface {
		AcceptContext(context.Context) (net.Conn, error)
	}
	deadliner interface{ SetDeadline(time.Time) error }
	readier   interface{ Ready(context.Context) error }
)

// reneged is how long an accept waits for a connection that Ready has told of.
// It waits at all only if the client has reset the connection in between.
const reneged = 100 * time.Millisecond

// ready waits until a connection waits for accept, as far as l can tell.
func ready(ctx context.Context, l net.Listener) error {
	if r, ok := l.(readier); ok {
		return r.Ready(ctx)
	}
	return ctx.Err()
}

// errCalledOff is an accept that was given up, not failed.
var errCalledOff = errors.New("accept was called off")

// accept takes a connection, or gives up with errCalledOff when ctx ends, as
// far as l can.
func accept(ctx context.Context, l net.Listener) (net.Conn, error) {
	if _, ok := l.(readier); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, reneged)
		defer cancel()
	}
	conn, err := acceptContext(ctx, l)
	if err != nil && ctx.Err() != nil {
		return nil, errCalledOff
	}
	return conn, err
}

// acceptContext is l's AcceptContext or the best that can be made of l.
func acceptContext(ctx context.Context, l net.Listener) (net.Conn, error) {
	if l, ok := l.(contextAccepter); ok {
		return l.AcceptContext(ctx)
	}
	d, ok := l.(deadliner)
	if !ok {
		return l.Accept()
	}
	stop := whenDone(ctx, func() { _ = d.SetDeadline(time.Unix(1, 0)) })
	conn, err := l.Accept()
	if stop() {
		_ = d.SetDeadline(time.Time{})
	}
	return conn, err
}

// whenDone calls f when ctx ends, unless stop is called before; stop returns
// whether f was called, after f has returned.
func whenDone(ctx context.Context, f func()) (stop func() bool) {
	called := make(chan struct{})
	prevent := context.AfterFunc(ctx, func() {
		defer close(called)
		f()
	})
	return func() bool {
		if prevent() {
			return false
		}
		<-called
		return true
	}
}
