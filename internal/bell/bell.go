// Package bell wakes readers of a bounded queue that writers must not wait for.
package bell

import (
	"context"
	"io"
)

// Bell is rung when something has come, or the end has. Make one with New. It is
// safe for concurrent use.
type Bell struct {
	rung chan struct{} // capacity 1; never closed
}

// New makes a bell.
func New() Bell { return Bell{make(chan struct{}, 1)} }

// Ring wakes a reader. It does not block.
func (b Bell) Ring() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// C is rung, too, for a select. One of those who wait is woken.
func (b Bell) C() <-chan struct{} { return b.rung }

// Next waits until take has something and returns it. take says with ok that it
// had, and with ended that nothing comes any more: then the error is io.EOF.
// Otherwise it is ctx's.
func Next[T any](ctx context.Context, b Bell, take func() (item T, ok, ended bool)) (T, error) {
	for {
		item, ok, ended := take()
		if ok {
			return item, nil
		}
		if ended {
			b.Ring() // another reader may wait for the same end
			return item, io.EOF
		}
		select {
		case <-b.rung:
		case <-ctx.Done():
			return item, ctx.Err()
		}
	}
}
