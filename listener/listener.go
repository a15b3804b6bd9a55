package listener

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Listener is a listening socket. It implements net.Listener.
type Listener struct {
	port     Port
	epoch    time.Time // what the machine's times count from
	observer func(Event)
	outputs  sync.Pool // *handshake.Output

	wake    chan struct{} // tells the timer goroutine of an earlier deadline; never closed
	done    chan struct{} // closed by Close; ends the timer goroutine
	stopped chan struct{} // closed by the timer goroutine

	mu      sync.Mutex
	ready   *sync.Cond // completed queue or closed changed
	machine *handshake.Machine
	adopted map[*handshake.Entry]*connection // not accepted yet
	armed   time.Duration                    // when the timer goroutine wakes up by itself
	closed  bool
	config  Config
}

// never is a deadline that does not come.
const never = time.Duration(1<<63 - 1)

// Segments is what an endpoint hands a port's segments to.
type Segments = interface {
	// Segment takes a segment that belongs to no connection the endpoint has.
	Segment(s *segment.Segment)
	// Reopen takes a SYN on the tuple of a connection in TIME-WAIT that may open a
	// new one, whose initial sequence number has to be beyond sndNxt.
	Reopen(s *segment.Segment, sndNxt uint32)
	// Owns reports whether a segment on the tuple of a connection in TIME-WAIT is
	// of a newer handshake: of a half-open entry, or with a SYN cookie of ours.
	Owns(s *segment.Segment) bool
}

// Listen opens a listener on a port. open is given what receives the port's
// segments and returns the port; segments may arrive before it returns.
func Listen(open func(Segments) (Port, error), cfg Config) (*Listener, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var key handshake.Key
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	l := &Listener{
		epoch:    time.Now(),
		observer: cfg.Observer,
		outputs:  sync.Pool{New: func() any { return new(handshake.Output) }},
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		stopped:  make(chan struct{}),
		adopted:  make(map[*handshake.Entry]*connection),
		armed:    never,
		config:   cfg,
	}
	l.ready = sync.NewCond(&l.mu)

	l.mu.Lock() // segments wait until there is a machine
	defer l.mu.Unlock()
	port, err := open(l)
	if err != nil {
		l.closed = true
		return nil, fmt.Errorf("listener: opening the port: %w", err)
	}
	l.port = port
	promise4, promise6 := port.Promises()
	l.machine = handshake.New(handshake.Config{
		Profile:  cfg.Effective(),
		Settings: cfg.Settings,
		Promise4: promise4,
		Promise6: promise6,
		Key:      key,
		Subnets:  port.Subnets(),
	})
	go l.fireTimers()
	return l, nil
}

func (l *Listener) now() time.Duration { return time.Since(l.epoch) }

// Segment implements Segments.
func (l *Listener) Segment(s *segment.Segment) {
	l.run(s.Packet, func(m *handshake.Machine, out *handshake.Output) { m.Segment(l.now(), s, out) })
}

// Reopen implements Segments.
func (l *Listener) Reopen(s *segment.Segment, sndNxt uint32) {
	l.run(s.Packet, func(m *handshake.Machine, out *handshake.Output) { m.Reopen(l.now(), s, sndNxt, out) })
}

// Owns implements Segments.
func (l *Listener) Owns(s *segment.Segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && (l.machine.Owns(s.Tuple) || l.machine.HoldsCookie(l.now(), s))
}

// run lets step use the machine under the lock and then does what came out.
// packet is the one that step handles, if any: an adoption begins with it.
func (l *Listener) run(packet []byte, step func(*handshake.Machine, *handshake.Output)) {
	out := l.outputs.Get().(*handshake.Output)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.outputs.Put(out)
		return
	}
	step(l.machine, out)
	adopt, handover := l.settleLocked(out)
	l.mu.Unlock()

	l.send(out)
	if adopt != nil {
		l.port.Adopt(handover, packet, adopt)
	}
	out.Reset()
	l.outputs.Put(out)
}

// send sends what an output has for clients. Called without the lock.
func (l *Listener) send(out *handshake.Output) {
	for i := range out.Send {
		l.port.Send(&out.Send[i])
	}
}

// settleLocked does what has to be done with an output before the lock is
// released: events are told in order, timers and accept see the change.
func (l *Listener) settleLocked(out *handshake.Output) (*connection, segment.Handshake) {
	var adopt *connection
	var handover segment.Handshake
	if out.Adopt != nil {
		adopt = &connection{l: l, entry: out.Adopt}
		l.adopted[out.Adopt] = adopt
		handover = l.machine.Handshake(l.now(), out.Adopt)
	}
	for i := range out.Events {
		if l.observer == nil {
			break
		}
		l.observer(Event{Time: l.epoch.Add(out.Events[i].At), Event: out.Events[i]})
	}
	if len(out.Events) > 0 {
		l.ready.Broadcast()
	}
	if at, ok := l.machine.NextDeadline(); ok && at < l.armed {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return adopt, handover
}

// Accept waits for the next completed connection and takes it out of the
// completed queue. After Close the error wraps net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) { return l.AcceptContext(context.Background()) }

// AcceptContext is Accept that gives up when ctx ends, with the context's
// error. No connection is lost by giving up.
func (l *Listener) AcceptContext(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, err := l.waitLocked(ctx)
	if err != nil {
		return nil, l.opError("accept", err)
	}
	l.takeLocked(c.entry)
	return c.conn, nil
}

// Ready waits until a connection waits for accept, as poll(2) does, and takes
// none. Somebody else may, or the client may reset it: accept may wait again.
func (l *Listener) Ready(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.waitLocked(ctx); err != nil {
		return l.opError("poll", err)
	}
	return nil
}

// waitLocked waits until the first connection of the completed queue is ready
// to be used.
func (l *Listener) waitLocked(ctx context.Context) (*connection, error) {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ready.Broadcast()
		})
		defer stop()
	}
	for {
		if l.closed {
			return nil, net.ErrClosed
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if e := l.machine.Completed(); e != nil && l.adopted[e].conn != nil {
			return l.adopted[e], nil
		}
		l.ready.Wait()
	}
}

// takeLocked removes an accepted entry from the queue.
func (l *Listener) takeLocked(e *handshake.Entry) {
	out := l.outputs.Get().(*handshake.Output)
	delete(l.adopted, e)
	l.machine.Accept(l.now(), e, out)
	l.settleLocked(out)
	out.Reset()
	l.outputs.Put(out)
}

// Configure changes profile, settings and timers as a second listen(2) does:
// what is queued stays, nothing is admitted until it fits. The observer stays
// as it was.
func (l *Listener) Configure(cfg Config) error {
	if err := cfg.check(); err != nil {
		return err
	}
	l.run(nil, func(m *handshake.Machine, out *handshake.Output) {
		l.config = cfg
		m.Configure(l.now(), cfg.Effective(), cfg.Settings, out)
		l.armed = never // the deadlines have changed: have the timer look again
	})
	l.poke()
	return nil
}

// Config is the configuration in force.
func (l *Listener) Config() Config {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.config
}

// Counts are the lengths of both queues, with the limits and the profile.
func (l *Listener) Counts() (backlog.Counts, backlog.Limits, *backlog.Profile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.Queues()
}

// Counters are the counters' values since the start.
func (l *Listener) Counters() handshake.Counters {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.machine.Counters()
}

// Addr is the address that the listener listens at.
func (l *Listener) Addr() net.Addr { return l.port.Addr() }

// Close ends the listener: the connections that nobody accepted are reset,
// Accept returns net.ErrClosed, and the port is free again. Accepted
// connections go on.
func (l *Listener) Close() error {
	var out handshake.Output
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.opError("close", net.ErrClosed)
	}
	l.machine.Close(l.now(), &out)
	l.settleLocked(&out)
	l.closed = true
	var aborted []net.Conn
	for _, e := range out.Abort {
		c := l.adopted[e]
		c.aborted = true
		if c.conn != nil {
			aborted = append(aborted, c.conn)
		}
	}
	clear(l.adopted)
	l.ready.Broadcast()
	l.mu.Unlock()

	close(l.done)
	<-l.stopped
	l.send(&out)
	for _, conn := range aborted {
		abort(conn)
	}
	if err := l.port.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return l.opError("close", err)
	}
	return nil
}

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.port.Addr(), Err: err}
}

// addrPort is a net.Addr of ours as a netip.AddrPort.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
