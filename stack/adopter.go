package stack

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
)

const (
	// adoptionTimeout is how long netstack may take to establish a connection
	// whose handshake is done. It takes microseconds, or seconds on a machine that
	// is very busy, unless something is wrong.
	adoptionTimeout = 15 * time.Second
	// adoptionRetry is how often netstack is asked whether it still has the
	// connections that it is to establish.
	adoptionRetry = time.Second
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
	late := time.NewTicker(adoptionRetry)
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
	var late, slow []*flow
	a.mu.Lock()
	for f := range a.waiting {
		if now.Sub(f.started) >= adoptionTimeout {
			delete(a.waiting, f)
			late = append(late, f)
		} else if now.Sub(f.started) >= adoptionRetry {
			slow = append(slow, f)
		}
	}
	a.mu.Unlock()
	for _, f := range slow {
		a.s.retry(f)
	}
	for _, f := range late {
		a.s.abandon(f, fmt.Errorf("stack: netstack did not establish %v within %v", f.tuple, adoptionTimeout))
	}
}

// retry plays the handshake to netstack again, if netstack has lost the connection.
// When a connection ends, netstack hands what it had not read to the endpoint that
// has its tuple by then, and an old RST there ends a handshake in SYN-RECEIVED. What
// the client has sent meanwhile is not acknowledged: the client sends it again.
func (s *Stack) retry(f *flow) {
	ep, ok := s.findEndpoint(f.tuple).(*tcp.Endpoint)
	if !ok || tcp.EndpointState(ep.State()) != tcp.StateListen || !f.translated() {
		return // netstack has it, or it is being told of it
	}
	f.mu.Lock()
	adopted, syn := f.adopted, f.syn
	f.adopted, f.syn = nil, nil
	f.mu.Unlock()
	s.adopter.unwatch(f)
	if adopted == nil {
		return // established just now
	}
	g := f.port.newFlow(segment.Handshake{SYN: *syn, ISS: f.iss, TSVal: f.tsval}, adopted)
	g.started = f.started
	ack := segment.Segment{Tuple: f.tuple, Seq: f.irs + 1, Ack: f.iss + 1, Flags: segment.ACK, Window: syn.Window}
	if syn.Options.HasTimestamps {
		ack.Options = segment.Options{HasTimestamps: true, TSVal: syn.Options.TSVal, TSEcr: f.tsval}
	}
	g.pending = [][]byte{segment.AppendRequest(nil, &ack)}
	s.counters.add(AdoptionRetries)
	f.end()
	if !s.flows.replace(f, g) {
		adopted.Failed(net.ErrClosed)
		return
	}
	s.adopter.watch(g)
	s.link.deliver(segment.AppendRequest(nil, syn))
	select {
	case <-f.port.quit: // closed meanwhile: Close may have missed it
		s.adopter.unwatch(g)
		s.abandon(g, net.ErrClosed)
	default:
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
