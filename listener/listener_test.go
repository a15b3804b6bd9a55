package listener_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// fakePort is a port whose endpoint adopts as it is told.
type fakePort struct {
	mu      sync.Mutex
	sent    []sent
	adopted []listener.Adopted
	adopt   func(listener.Adopted) // what happens at an adoption; nil: established at once
	closed  bool
}

type sent struct {
	at  time.Time
	seg segment.Segment
}

func (p *fakePort) Addr() net.Addr { return net.TCPAddrFromAddrPort(serverAddr) }
func (p *fakePort) Subnets() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24")}
}
func (p *fakePort) Promises() (v4, v6 segment.Promise) {
	promise := segment.Promise{MSS: 1460, Window: 65535}
	return promise, promise
}

func (p *fakePort) Send(s *segment.Segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, sent{time.Now(), *s})
}

func (p *fakePort) Adopt(h segment.Handshake, _ []byte, conn listener.Adopted) {
	p.mu.Lock()
	p.adopted = append(p.adopted, conn)
	adopt := p.adopt
	p.mu.Unlock()
	if adopt != nil {
		adopt(conn)
		return
	}
	conn.Established(&fakeConn{tuple: h.SYN.Tuple})
}

func (p *fakePort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// flags are the flags of what was sent, in order.
func (p *fakePort) flags() (list []segment.Flags) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.sent {
		list = append(list, p.sent[i].seg.Flags)
	}
	return list
}

// fakeConn is a connection that notes how it ended.
type fakeConn struct {
	net.Conn
	tuple           segment.Tuple
	mu              sync.Mutex
	aborted, closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.tuple.Client()) }
func (c *fakeConn) Abort()               { c.mu.Lock(); defer c.mu.Unlock(); c.aborted = true }
func (c *fakeConn) Close() error         { c.mu.Lock(); defer c.mu.Unlock(); c.closed = true; return nil }

var serverAddr = netip.MustParseAddrPort("192.0.2.2:80")

// rig is a listener on a fake port.
type rig struct {
	*testing.T
	*listener.Listener
	port   *fakePort
	in     listener.Segments
	events []listener.Event
}

func listen(t *testing.T, b int, port *fakePort) *rig {
	t.Helper()
	r := &rig{T: t, port: port}
	l, err := listener.Listen(func(s listener.Segments) (listener.Port, error) {
		r.in = s
		return port, nil
	}, listener.Config{
		Profile: profiles.BSD, Settings: backlog.Settings{Backlog: b, Somaxconn: 128},
		Observer: func(e listener.Event) { r.events = append(r.events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Listener = l
	return r
}

func client(n uint16) segment.Tuple {
	return segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), n), serverAddr)
}

// syn has client n send a SYN.
func (r *rig) syn(n uint16) {
	r.in.Segment(&segment.Segment{Tuple: client(n), Seq: 100, Flags: segment.SYN, Window: 1000})
}

// connect has client n perform the handshake.
func (r *rig) connect(n uint16) {
	r.Helper()
	r.syn(n)
	r.port.mu.Lock()
	last := r.port.sent[len(r.port.sent)-1].seg
	r.port.mu.Unlock()
	if last.Tuple != client(n) || !last.Flags.Has(segment.SYN|segment.ACK) {
		r.Fatalf("client %d is answered with %v", n, &last)
	}
	r.in.Segment(&segment.Segment{Tuple: client(n), Seq: 101, Ack: last.Seq + 1, Flags: segment.ACK, Window: 1000})
}

// The timers of bsd, by the listener's own goroutine and clock: SYN-ACKs at 0, 6
// and 30 s, RST|ACK at 75 s.
func TestTimersFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, 8, &fakePort{})
		defer r.Close()
		start := time.Now()
		r.syn(1)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		want := []time.Duration{0, 6 * time.Second, 30 * time.Second, 75 * time.Second}
		r.port.mu.Lock()
		defer r.port.mu.Unlock()
		if len(r.port.sent) != len(want) {
			t.Fatalf("%d segments, want %d", len(r.port.sent), len(want))
		}
		for i, s := range r.port.sent {
			if s.at.Sub(start) != want[i] {
				t.Errorf("segment %d at %v, want %v", i, s.at.Sub(start), want[i])
			}
		}
		if last := r.port.sent[3].seg; last.Flags != segment.RST|segment.ACK {
			t.Errorf("the last one is %v, want RST|ACK", &last)
		}
	})
}

// An entry whose timer is earlier than the one that the goroutine sleeps for
// wakes it: a shorter timeout counts at once.
func TestConfigureWakesTheTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, 8, &fakePort{})
		defer r.Close()
		r.syn(1)
		time.Sleep(time.Second)
		cfg := r.Config()
		retries := 0
		cfg.SYNTimeout, cfg.SYNACKRetries = 2*time.Second, &retries
		if err := r.Configure(cfg); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1001 * time.Millisecond)
		synctest.Wait()
		if counts, _, _ := r.Counts(); counts.Incomplete != 0 {
			t.Error("the entry is still there after the new timeout")
		}
	})
}

func TestAcceptInOrder(t *testing.T) {
	r := listen(t, 8, &fakePort{})
	defer r.Close()
	for n := range uint16(5) {
		r.connect(n + 1)
	}
	for n := range uint16(5) {
		conn, err := r.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().String(); got != client(n+1).Client().String() {
			t.Errorf("accept %d returns %s", n+1, got)
		}
	}
}

// A connection whose adoption takes its time holds accept up, and those behind
// it, as order is kept.
func TestAcceptWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &fakePort{adopt: func(listener.Adopted) {}}
		r := listen(t, 8, port)
		defer r.Close()
		r.connect(1)
		got := make(chan error)
		go func() { _, err := r.Accept(); got <- err }()
		synctest.Wait()
		select {
		case err := <-got:
			t.Fatalf("accept returned before the adoption was done: %v", err)
		default:
		}
		port.adopted[0].Established(&fakeConn{tuple: client(1)})
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestAdoptionFails(t *testing.T) {
	r := listen(t, 0, &fakePort{adopt: func(c listener.Adopted) { c.Failed(errors.New("refused")) }})
	defer r.Close()
	r.connect(1)
	if flags := r.port.flags(); flags[len(flags)-1] != segment.RST|segment.ACK {
		t.Errorf("the client of a failed adoption is sent %v, want RST|ACK", flags)
	}
	if counts, _, _ := r.Counts(); counts.Total() != 0 {
		t.Errorf("its place is not free: %+v", counts)
	}
	if last := r.events[len(r.events)-1]; last.Kind != handshake.AdoptionFailed {
		t.Errorf("last event %v", &last)
	}
}

// A client that resets while queued leaves the queue, and its connection is
// closed.
func TestEndedWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, 8, &fakePort{})
		defer r.Close()
		r.connect(1)
		r.connect(2)
		r.port.adopted[0].Ended()
		synctest.Wait()
		conn, err := r.Accept()
		if err != nil || conn.RemoteAddr().String() != client(2).Client().String() {
			t.Errorf("accept returns %v, %v; want the second client", conn, err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var conns []*fakeConn
		port := &fakePort{}
		port.adopt = func(a listener.Adopted) {
			c := &fakeConn{tuple: client(1)}
			conns = append(conns, c)
			a.Established(c)
		}
		r := listen(t, 8, port)
		r.connect(1)
		r.connect(2)
		r.syn(3)
		if _, err := r.Accept(); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error)
		other := listen(t, 8, &fakePort{})
		go func() { _, err := other.Accept(); waiting <- err }()
		synctest.Wait()
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		var opErr *net.OpError
		if err := <-waiting; !errors.Is(err, net.ErrClosed) || !errors.As(err, &opErr) || opErr.Op != "accept" {
			t.Errorf("Accept ended by Close returns %v, want a *net.OpError of net.ErrClosed", err)
		}

		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if conns[0].aborted || !conns[1].aborted || !conns[1].closed {
			t.Error("want the accepted connection left alone and the queued one aborted")
		}
		if flags := port.flags(); flags[len(flags)-1] != segment.RST|segment.ACK {
			t.Errorf("bsd resets half-open clients; sent were %v", flags)
		}
		if !port.closed {
			t.Error("the port is not closed")
		}
		if _, err := r.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		if err := r.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close: %v", err)
		}
		r.syn(9) // nobody is there
	})
}

// A connection that is established when the listener is closed already is
// aborted.
func TestEstablishedAfterClose(t *testing.T) {
	port := &fakePort{adopt: func(listener.Adopted) {}}
	r := listen(t, 8, port)
	r.connect(1)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := &fakeConn{tuple: client(1)}
	port.adopted[0].Established(c)
	if !c.aborted {
		t.Error("it was left open, and nobody has it")
	}
}

// An adoption that fails because the listener was closed leaves a client that
// believes it is connected: it is told.
func TestAdoptionFailsAfterClose(t *testing.T) {
	port := &fakePort{adopt: func(listener.Adopted) {}}
	r := listen(t, 8, port)
	r.connect(1)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	port.adopted[0].Failed(net.ErrClosed)
	sent := port.flags()
	if last := sent[len(sent)-1]; last != segment.RST|segment.ACK {
		t.Errorf("the client is sent %v, want a RST at the end", sent)
	}
}

func TestAcceptContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := listen(t, 8, &fakePort{})
		defer r.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.AcceptContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AcceptContext: %v", err)
		}
		if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ready: %v", err)
		}
		r.connect(1)
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := r.Accept(); err != nil {
			t.Errorf("Ready took the connection: %v", err)
		}
	})
}

// Many clients and accepts at once: everybody is accepted once, and the events
// are in an order in which the counts make sense.
func TestConcurrentUse(t *testing.T) {
	r := listen(t, 100, &fakePort{})
	defer r.Close()
	const each = 200
	var clients, accepts sync.WaitGroup
	seen := make(map[string]int)
	var mu sync.Mutex
	for range 4 {
		accepts.Go(func() {
			for range each {
				conn, err := r.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[conn.RemoteAddr().String()]++
				mu.Unlock()
			}
		})
	}
	iss := make(map[segment.Tuple]uint32)
	for n := range uint16(4 * each) {
		for { // as the client's TCP would, until there is room
			r.syn(n + 1)
			r.port.mu.Lock()
			last := r.port.sent[max(len(r.port.sent)-1, 0)].seg
			r.port.mu.Unlock()
			if last.Tuple == client(n+1) {
				iss[last.Tuple] = last.Seq
				break
			}
		}
		clients.Go(func() {
			r.in.Segment(&segment.Segment{Tuple: client(n + 1), Seq: 101, Ack: iss[client(n+1)] + 1, Flags: segment.ACK})
		})
		clients.Wait()
	}
	accepts.Wait()
	if len(seen) != 4*each {
		t.Errorf("%d clients accepted, want %d", len(seen), 4*each)
	}
	completed := 0
	for i := range r.events {
		switch e := &r.events[i]; e.Kind {
		case handshake.Promoted:
			completed++
		case handshake.Accepted:
			completed--
		default:
			continue
		}
		if got := r.events[i].Counts.Completed; got != completed {
			t.Fatalf("event %d says %d completed, %d are", i, got, completed)
		}
	}
}

func TestBadConfig(t *testing.T) {
	retries := 99
	for _, cfg := range []listener.Config{
		{Settings: backlog.Settings{Somaxconn: 1}},
		{Profile: profiles.BSD},
		{Profile: profiles.BSD, Settings: backlog.Settings{Somaxconn: 1}, SYNTimeout: -1},
		{Profile: profiles.BSD, Settings: backlog.Settings{Somaxconn: 1}, SYNACKRetries: &retries},
	} {
		if _, err := listener.Listen(nil, cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}
