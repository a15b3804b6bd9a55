package stack

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	// adoptionTimeout is how long netstack may take to establish a connection
	// whose handshake is done. It takes microseconds, or seconds on a machine that
	// is very busy, unless something is wrong.
	adoptionTimeout = 15 * time.Second
	// sweepInterval is how often translations without an endpoint are looked for.
	sweepInterval = 30 * time.Second
)

// adopter finishes adoptions in a goroutine of its own: netstack's SYN-ACK
// shows while netstack holds its locks, and what follows must wait for them.
type adopter struct {
	s       *Stack
	wake    chan struct{} // capacity 1; never closed
	quit    chan struct{} // closed by stop
	mu      sync.Mutex    // guards the following
	caught  []*flow       // to be flushed
	waiting map[*flow]struct{}
}

func (a *adopter) init(s *Stack) {
	a.s = s
	a.wake = make(chan struct{}, 1)
	a.quit = make(chan struct{})
	a.waiting = make(map[*flow]struct{})
}

func (a *adopter) stop() { close(a.quit) }

// watch begins the time that f may take until it is established.
func (a *adopter) watch(f *flow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[f] = struct{}{}
}

// unwatch ends it.
func (a *adopter) unwatch(f *flow) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waiting, f)
}

// flush has f's pending segments delivered soon. Called with netstack's locks
// held.
func (a *adopter) flush(f *flow) {
	a.mu.Lock()
	a.caught = append(a.caught, f)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *adopter) run() {
	defer a.s.workers.Done()
	late := time.NewTicker(adoptionTimeout / 4)
	defer late.Stop()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	var suspects map[*flow]bool
	for {
		select {
		case <-a.quit:
			return
		case <-a.wake:
			a.flushCaught()
		case now := <-late.C:
			a.expire(now)
		case <-sweep.C:
			suspects = a.sweep(suspects)
		}
	}
}

func (a *adopter) flushCaught() {
	a.mu.Lock()
	caught := a.caught
	a.caught = nil
	a.mu.Unlock()
	for _, f := range caught {
		// Netstack drops its processing of a segment when it finds the endpoint
		// locked, and the SYN-ACK was sent under that lock: pass through it first.
		if ep, ok := a.s.findEndpoint(f.tuple).(*tcp.Endpoint); ok {
			ep.LockUser()
			ep.UnlockUser()
		}
		f.deliverPending()
	}
}

// expire gives up the adoptions that have taken too long.
func (a *adopter) expire(now time.Time) {
	var late []*flow
	a.mu.Lock()
	for f := range a.waiting {
		if now.Sub(f.started) >= adoptionTimeout {
			delete(a.waiting, f)
			late = append(late, f)
		}
	}
	a.mu.Unlock()
	for _, f := range late {
		a.s.abandon(f, fmt.Errorf("stack: netstack did not establish %v within %v", f.tuple, adoptionTimeout))
	}
}

// abandon ends an adoption that was not established, and tells so.
func (s *Stack) abandon(f *flow, err error) {
	adopted := f.settle()
	if adopted == nil {
		return // established just now
	}
	f.end()
	s.flows.remove(f)
	s.forget(f)
	if !errors.Is(err, net.ErrClosed) {
		s.counters.add(AdoptionsFailed)
		s.log.Warn("adoption failed", "connection", f.tuple, "error", err)
	}
	adopted.Failed(err)
}

// unwatchAll ends the time of all adoptions of a port, and returns them.
func (a *adopter) unwatchAll(p *Port) []*flow {
	var flows []*flow
	a.mu.Lock()
	defer a.mu.Unlock()
	for f := range a.waiting {
		if f.port == p {
			delete(a.waiting, f)
			flows = append(flows, f)
		}
	}
	return flows
}

// sweep removes translations whose endpoint ended without a word. There are
// none, as far as we know. An endpoint that is just ending has the time until
// the next sweep to say so.
func (a *adopter) sweep(suspects map[*flow]bool) map[*flow]bool {
	ended := make(map[*flow]bool)
	for _, f := range a.s.flows.all() {
		if state := f.endpointState(); state != tcp.StateClose && state != tcp.StateError {
			continue
		}
		if !suspects[f] {
			ended[f] = true
			continue
		}
		a.s.counters.add(OrphanedTranslations)
		f.end()
		a.s.flows.remove(f)
	}
	return ended
}
