package stack

import (
	"sync"
	"time"
)

// deadline ends the calls that wait when it comes, and can be moved meanwhile. It
// is safe for concurrent use. The zero value never comes.
type deadline struct {
	mu     sync.Mutex    // guards the following
	timer  *time.Timer   // nil: none runs
	passed chan struct{} // closed when the deadline has come; nil: nobody has asked yet
}

// set moves the deadline; the zero time is never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		d.passed = nil // the old timer closes the old channel
	}
	d.timer = nil
	select {
	case <-d.passed:
		d.passed = nil
	default:
	}
	if t.IsZero() {
		return
	}
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	passed, wait := d.passed, time.Until(t)
	if wait <= 0 {
		close(passed)
		return
	}
	d.timer = time.AfterFunc(wait, func() { close(passed) })
}

// done is closed when the deadline comes, unless the deadline is moved before.
func (d *deadline) done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	return d.passed
}
