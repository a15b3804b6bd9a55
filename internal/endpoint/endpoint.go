package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/events"
	"tcplab/internal/memlimit"
	"tcplab/internal/trace"
	"tcplab/listener"
	"tcplab/stack"
	"tcplab/stack/tcpmem"
	"tcplab/tun"
)

// Endpoint is a running instance.
type Endpoint struct {
	config  Config
	started time.Time
	hub     events.Hub
	trace   trace.Recorder
	gate    *app.Gate

	device    stack.Device
	stack     *stack.Stack
	listeners []*listener.Listener
	byPort    map[uint16]*listener.Listener

	stopApp  context.CancelFunc
	served   chan struct{} // closed when the application has ended
	serveErr error         // why; written before served is closed

	accepting sync.Mutex // one Accept at a time, so that each counts its own

	mu       sync.Mutex // guards settings, and keeps changes of them whole
	settings Settings

	closing  sync.Once
	closed   chan struct{} // closed by Close when it begins
	closeErr error
}

// Up brings an endpoint up. It serves when Up returns.
func Up(cfg Config) (*Endpoint, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.App == "" {
		cfg.App = app.Names()[0]
	}
	e := &Endpoint{
		config:   cfg,
		started:  time.Now(),
		gate:     app.NewGate(cfg.Accept),
		byPort:   make(map[uint16]*listener.Listener),
		settings: cfg.Settings,
		closed:   make(chan struct{}),
	}
	e.trace.MaxBytes = memlimit.Share(trace.MaxBytes)
	if err := e.build(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// build makes the parts in order. What is there when it fails, Close ends.
func (e *Endpoint) build() error {
	if err := e.openStack(); err != nil {
		return err
	}
	listeners := make([]net.Listener, len(e.config.Ports))
	for i, port := range e.config.Ports {
		l, err := e.listen(port)
		if err != nil {
			return fmt.Errorf("listening on port %d: %w", port, err)
		}
		e.listeners, e.byPort[port] = append(e.listeners, l), l
		listeners[i] = l
	}
	return e.serve(listeners)
}

// openStack makes the interface and the stack on it.
func (e *Endpoint) openStack() error {
	dev := e.config.Device
	if dev == nil {
		created, err := tun.Create(e.config.tunConfig())
		if err != nil {
			return err
		}
		dev = created
	}
	var addrs []netip.Prefix
	for _, link := range e.config.Links {
		addrs = append(addrs, link.prefix())
	}
	st, err := stack.New(dev, stack.Config{
		Addrs: addrs, Logger: e.config.Logger, Tap: &e.trace,
		Memory: tcpmem.LimitsFor(memlimit.Limit()), Timeouts: e.settings.Timeouts,
	})
	if err != nil {
		return errors.Join(err, dev.Close())
	}
	e.device, e.stack = dev, st
	return nil
}

// listen opens a port with a listener of its own.
func (e *Endpoint) listen(port uint16) (*listener.Listener, error) {
	open := func(segments listener.Segments) (listener.Port, error) {
		p, err := e.stack.Open(port, segments)
		if err != nil {
			return nil, err // not a *stack.Port that is nil
		}
		return p, nil
	}
	return listener.Listen(open, e.settings.ListenerConfig(e.observe))
}

// observe is told of each event of the listeners, with their locks held.
func (e *Endpoint) observe(event listener.Event) {
	e.trace.Event(&event)
	e.hub.Publish(event)
}

// serve starts the application.
func (e *Endpoint) serve(listeners []net.Listener) error {
	server, err := app.New(app.Config{
		App:     e.config.App,
		Gate:    e.gate,
		Workers: e.config.Workers,
		Work:    e.config.Work,
		Info:    e.info,
		Logger:  e.config.Logger,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.stopApp, e.served = cancel, make(chan struct{})
	go func() {
		defer close(e.served)
		e.serveErr = server.Serve(ctx, listeners...)
	}()
	return nil
}

// info tells the application's page about the listener at local.
func (e *Endpoint) info(local net.Addr) app.Info {
	tcp, ok := local.(*net.TCPAddr)
	if !ok {
		return app.Info{}
	}
	l := e.byPort[uint16(tcp.Port)]
	if l == nil {
		return app.Info{}
	}
	counts, limits, profile := l.Counts()
	return app.Info{
		Profile:    profile.Name,
		Limit:      profile.Describe(limits),
		Backlog:    limits.Backlog,
		Incomplete: counts.Incomplete,
		Completed:  counts.Completed,
	}
}

// Subscribe starts a subscription to the events of all listeners; see
// events.Hub. It ends with the endpoint. With little memory its ring is smaller;
// see memlimit.Share.
func (e *Endpoint) Subscribe(size int, kinds events.Kinds) *events.Subscription {
	return e.hub.Subscribe(memlimit.Share(size), kinds)
}

// Record is Subscribe for a reader that is to miss nothing; see events.Hub.
func (e *Endpoint) Record(size int, patience time.Duration) *events.Subscription {
	return e.hub.Record(memlimit.Share(size), patience)
}

// Replay is Subscribe that begins with the last events; see events.Hub.
func (e *Endpoint) Replay(size int, kinds events.Kinds) *events.Subscription {
	return e.hub.Replay(memlimit.Share(size), kinds)
}

// Trace starts a subscription to the packets between the host and the endpoint,
// each with what the listeners made of it; see trace.Recorder. It ends with the
// endpoint.
func (e *Endpoint) Trace(size, snaplen int) *trace.Subscription {
	return e.trace.Subscribe(memlimit.Share(size), snaplen)
}

// Wait waits until the endpoint cannot go on, and returns why: somebody removed
// its interface, for example. It returns nil when ctx ends or Close is called.
func (e *Endpoint) Wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case <-e.closed:
	case <-e.stack.Done():
		err = fmt.Errorf("the interface %s cannot be read any more, it was removed perhaps: %w", e.config.Dev, e.stack.Err())
	case <-e.served:
		err = fmt.Errorf("the application %s has ended: %w", e.config.App, e.serveErr)
	}
	select {
	case <-e.closed: // which ends the others too
		return nil
	default:
		return err
	}
}

// Close resets all connections and removes the interface. Everything is gone
// when it returns. Later calls return what the first one did.
func (e *Endpoint) Close() error {
	e.closing.Do(func() {
		close(e.closed)
		var errs []error
		if e.stopApp != nil {
			e.stopApp()
			<-e.served
		}
		for _, l := range e.listeners {
			errs = append(errs, l.Close())
		}
		if e.stack != nil {
			errs = append(errs, e.stack.Close())
		}
		e.trace.Close()
		e.hub.Close()
		e.closeErr = errors.Join(errs...)
	})
	return e.closeErr
}
