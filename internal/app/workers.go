package app

import "context"

// workers are those who serve connections, one each at a time: a place for
// each that is busy. Nil is workers without limit.
type workers chan struct{}

func newWorkers(n int) workers {
	if n == 0 {
		return nil
	}
	return make(workers, n)
}

// take waits for a worker. The error is that of ctx.
func (w workers) take(ctx context.Context) error {
	if w == nil {
		return ctx.Err()
	}
	select {
	case w <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives a worker back.
func (w workers) release() {
	if w != nil {
		<-w
	}
}
