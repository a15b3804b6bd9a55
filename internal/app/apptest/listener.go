// Package apptest is a listener in memory whose completed queue a test fills
// and looks at.
package apptest

import (
	"context"
	"net"
	"sync"
)

// Listener is a net.Listener with AcceptContext and Ready. It is safe for
// concurrent use.
type Listener struct {
	mu        sync.Mutex
	queue     []net.Conn    // completed, oldest first
	failures  []error       // what the next accepts return
	changed   chan struct{} // closed and replaced on a change
	accepting int           // calls of accept that have not returned
	closed    bool
}

// NewListener returns a listener with an empty queue.
func NewListener() *Listener { return &Listener{changed: make(chan struct{})} }

// Connect puts a connection in the queue and returns the client's end.
func (l *Listener) Connect() net.Conn {
	client, server := net.Pipe()
	l.change(func() { l.queue = append(l.queue, server) })
	return client
}

// Withdraw takes the oldest connection out of the queue, as when its client
// has reset it.
func (l *Listener) Withdraw() {
	l.change(func() {
		_ = l.queue[0].Close() // a pipe's Close does not fail
		l.queue = l.queue[1:]
	})
}

// Fail has one accept return err.
func (l *Listener) Fail(err error) {
	l.change(func() { l.failures = append(l.failures, err) })
}

// Queued is how many connections wait for accept.
func (l *Listener) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Accepting is how many calls of accept wait for a connection.
func (l *Listener) Accepting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepting
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) { return l.AcceptContext(context.Background()) }

// AcceptContext is Accept that gives up when ctx ends.
func (l *Listener) AcceptContext(ctx context.Context) (net.Conn, error) {
	l.change(func() { l.accepting++ })
	defer l.change(func() { l.accepting-- })

	var conn net.Conn
	var failure error
	err := l.wait(ctx, func() bool {
		switch {
		case len(l.failures) > 0:
			failure, l.failures = l.failures[0], l.failures[1:]
		case len(l.queue) > 0:
			conn, l.queue = l.queue[0], l.queue[1:]
		default:
			return false
		}
		return true
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "pipe", Addr: l.Addr(), Err: err}
	}
	return conn, nil
}

// Ready waits until accept would not wait.
func (l *Listener) Ready(ctx context.Context) error {
	return l.wait(ctx, func() bool { return len(l.failures)+len(l.queue) > 0 })
}

// Close ends accept with net.ErrClosed, and the connections in the queue.
func (l *Listener) Close() error {
	l.change(func() {
		for _, conn := range l.queue {
			_ = conn.Close() // a pipe's Close does not fail
		}
		l.queue, l.closed = nil, true
	})
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: "apptest", Net: "pipe"} }

// change makes a change and tells those who wait.
func (l *Listener) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// wait waits until done, which is called with mu held, or until ctx or l ends.
func (l *Listener) wait(ctx context.Context, done func() bool) error {
	for {
		l.mu.Lock()
		err := ctx.Err()
		if l.closed {
			err = net.ErrClosed
		}
		ok := err == nil && done()
		changed := l.changed
		l.mu.Unlock()
		if err != nil || ok {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}
