package stack

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"tcplab/listener/segment"
	"tcplab/stack/fragment"
	"tcplab/stack/tcpmem"
)

// Config is what a Stack starts with.
type Config struct {
	// Addrs are the endpoint's own addresses, each with its subnet. At most one
	// is IPv4 and at most one IPv6.
	Addrs []netip.Prefix
	// Logger takes what is wrong here, and netstack's own lines. Nil: nothing is
	// logged. It must not wait for anything: packets wait for it.
	Logger *slog.Logger
	Tap    Tap // nil: nobody sees the packets

	// Memory bounds what the buffers of all connections hold together. The zero
	// value is what a process gets that may use any amount of memory.
	Memory   tcpmem.Limits
	Timeouts ClientTimeouts
}

// Stack is a TCP/IP endpoint on a device.
type Stack struct {
	dev      Device
	offload  Offloader // dev, if it has offload; nil otherwise
	addrs    []netip.Prefix
	local    map[netip.Addr]bool
	log      *slog.Logger
	tap      Tap // nil: none
	ns       *gstack.Stack
	link     *link
	flows    flows
	memory   *tcpmem.Pool // of all connections
	adopter  adopter
	timeouts atomic.Pointer[ClientTimeouts]
	upkeep   upkeep
	counters counters

	segment   segment.Segment      // of the reader, for the listener: used again for each
	fragments fragment.Reassembler // of the reader
	started   time.Time

	mu     sync.RWMutex // guards the following
	ports  map[uint16]*Port
	closed bool

	done    chan struct{} // closed by the reader when the device cannot be read any more
	readErr error         // why; written before done is closed
	workers sync.WaitGroup
}

// New makes an endpoint on dev, which it takes over: Close closes it.
func New(dev Device, cfg Config) (*Stack, error) {
	s := &Stack{
		dev:     dev,
		started: time.Now(),
		addrs:   append([]netip.Prefix(nil), cfg.Addrs...),
		local:   make(map[netip.Addr]bool),
		log:     cfg.Logger,
		tap:     cfg.Tap,
		ports:   make(map[uint16]*Port),
		done:    make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	netstackLog.Store(s.log)
	if len(s.addrs) == 0 {
		return nil, errors.New("stack: no address given: an endpoint needs at least one")
	}
	for _, addr := range s.addrs {
		if !addr.IsValid() || s.local[addr.Addr()] || s.addrOf(addr.Addr().Is4()) != addr {
			return nil, fmt.Errorf("stack: addresses %v: give at most one IPv4 and one IPv6 address", s.addrs)
		}
		s.local[addr.Addr()] = true
	}
	if dev, ok := dev.(Offloader); ok && dev.Offload() {
		s.offload = dev
	}
	if cfg.Memory == (tcpmem.Limits{}) {
		cfg.Memory = tcpmem.LimitsFor(0)
	}
	s.memory = tcpmem.NewPool(cfg.Memory)
	s.flows.init()
	s.link = newLink(s, dev.MTU())
	ns, err := newNetstack(s.link, s.addrs)
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	s.ns = ns
	s.adopter.init(s)
	s.upkeep.init(s)
	s.timeouts.Store(&cfg.Timeouts)
	s.workers.Add(3)
	go s.read()
	go s.adopter.run()
	go s.upkeep.run()
	return s, nil
}

// addrOf is the endpoint's first address of a family, the zero Prefix if it has
// none.
func (s *Stack) addrOf(is4 bool) netip.Prefix {
	for _, addr := range s.addrs {
		if addr.Addr().Is4() == is4 {
			return addr
		}
	}
	return netip.Prefix{}
}

// Done is closed when the device can no longer be read, because the endpoint
// was closed or the device was removed under it.
func (s *Stack) Done() <-chan struct{} { return s.done }

// Err says why the device can no longer be read; nil before Done is closed, and
// after Close.
func (s *Stack) Err() error {
	select {
	case <-s.done:
	default:
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed || errors.Is(s.readErr, io.EOF) {
		return nil
	}
	return s.readErr
}

// Counters are the link's counters and netstack's.
func (s *Stack) Counters() Counters {
	values := s.counters.read()
	values.addNetstack(s.ns.Stats().TCP)
	values[MemoryPressures] = s.memory.Pressures()
	return values
}

// Connections is the number of connections that are translated: adopted ones,
// those in TIME-WAIT included.
func (s *Stack) Connections() int { return s.flows.len() }

// port finds the open port with this number.
func (s *Stack) port(number uint16) *Port {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.ports[number]
}

// Close ends all connections with a RST, closes the device and waits for all
// goroutines. Open ports are closed with it.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("stack: %w", net.ErrClosed)
	}
	s.closed = true
	var open []*Port
	for _, p := range s.ports {
		open = append(open, p)
	}
	s.mu.Unlock()

	for _, p := range open {
		_ = p.Close() // closed by its listener already, perhaps
	}
	s.ns.Close() // resets what is open while the device still carries it
	err := s.dev.Close()
	<-s.done
	s.adopter.stop()
	s.workers.Wait()
	s.ns.Wait()
	netstackLog.CompareAndSwap(s.log, nil)
	if err != nil {
		return fmt.Errorf("stack: closing the device: %w", err)
	}
	return nil
}
