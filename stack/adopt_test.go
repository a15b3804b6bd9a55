package stack_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
	"tcplab/tun/tuntest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Which code an input reaches depends on when netstack's goroutines run. Go's
	// fuzzer takes an input that reaches less at the next run for one that it could
	// still make smaller, and spends a minute of each on that.
	const minimize = "test.fuzzminimizetime"
	if f := flag.Lookup(minimize); f.Value.String() == f.DefValue {
		if err := flag.Set(minimize, "100x"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

var (
	subnet = netip.MustParsePrefix("192.0.2.2/24")
	server = netip.MustParseAddrPort("192.0.2.2:80")
)

// bench is an endpoint on a device in memory, with a listener on port 80.
type bench struct {
	testing.TB
	dev   device
	stack *stack.Stack
	l     *listener.Listener
	ctx   context.Context
}

// device is a device with the host's end in the test's hand.
type device interface {
	stack.Offloader
	Inject(data []byte) error
	InjectOffload(h offload.Header, data []byte) error
	Sent(ctx context.Context) ([]byte, error)
	SentOffload(ctx context.Context) (offload.Header, []byte, error)
	TrySent() ([]byte, bool)
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return benchOn(t, tuntest.New(1500))
}

// benchOn is newBench on a device of the test's.
func benchOn(t testing.TB, dev device) *bench {
	t.Helper()
	return newBenchOf(t, dev, profiles.BSD, backlog.Settings{Backlog: 8, Somaxconn: 4096, MaxSynBacklog: 2048})
}

func newBenchOf(t testing.TB, dev device, profile *backlog.Profile, settings backlog.Settings) *bench {
	t.Helper()
	st, err := stack.New(dev, stack.Config{Addrs: []netip.Prefix{subnet, subnet6}})
	if err != nil {
		t.Fatal(err)
	}
	open := func(s listener.Segments) (listener.Port, error) { return st.Open(80, s) }
	l, err := listener.Listen(open, listener.Config{Profile: profile, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(func() {
		cancel()
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := st.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return &bench{t, dev, st, l, ctx}
}

// peer is a client that is played segment by segment.
type peer struct {
	*bench
	tuple    segment.Tuple
	seq, ack uint32
	options  segment.Options // of its SYN
	tsval    uint32
	tsecr    uint32
}

func (b *bench) peer(port uint16, seq uint32, options segment.Options) *peer {
	client := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), port)
	return &peer{bench: b, tuple: segment.NewTuple(client, server), seq: seq, options: options, tsval: 1000}
}

var allOptions = segment.Options{
	MSS: 1460, HasMSS: true, SACKPermitted: true, HasWindowScale: true, WindowScale: 7, HasTimestamps: true,
}

// send sends a segment with the next numbers.
func (p *peer) send(flags segment.Flags, data string) {
	p.Helper()
	s := segment.Segment{Tuple: p.tuple, Seq: p.seq, Flags: flags, Window: 65000, Payload: []byte(data)}
	if flags.Has(segment.ACK) {
		s.Ack = p.ack
	}
	if flags.Has(segment.SYN) {
		s.Options = p.options
	}
	if p.options.HasTimestamps {
		s.Options.HasTimestamps, s.Options.TSVal, s.Options.TSEcr = true, p.tsval, p.tsecr
		p.tsval++
	}
	if err := p.dev.Inject(segment.AppendRequest(nil, &s)); err != nil {
		p.Fatal(err)
	}
	p.seq += s.Len()
}

// receive waits for the next segment of the server's with these flags.
func (p *peer) receive(flags segment.Flags) segment.Segment {
	p.Helper()
	for {
		packet, err := p.dev.Sent(p.ctx)
		if err != nil {
			p.Fatalf("waiting for %v: %v", flags, err)
		}
		var s segment.Segment
		if err := segment.Parse(packet, &s); err != nil {
			p.Fatalf("the endpoint sent %x: %v", packet, err)
		}
		if s.Tuple != p.tuple.Reverse() || !s.Flags.Has(flags) {
			continue
		}
		if s.Options.HasTimestamps {
			p.tsecr = s.Options.TSVal
		}
		return s
	}
}

// connect performs the handshake but for the final ACK.
func (p *peer) connect() {
	p.Helper()
	p.send(segment.SYN, "")
	synACK := p.receive(segment.SYN | segment.ACK)
	p.ack = synACK.Seq + 1
}

func (b *bench) accept() net.Conn {
	b.Helper()
	conn, err := b.l.AcceptContext(b.ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// Data on the final ACK, behind it, and both directions' numbers, with and
// without options and around the end of the sequence space.
func TestAdoption(t *testing.T) {
	for _, test := range []struct {
		name    string
		seq     uint32
		options segment.Options
	}{
		{"all options", 1000, allOptions},
		{"none", 1000, segment.Options{}},
		{"wraparound", 1<<32 - 3, allOptions},
		{"no timestamps", 5, segment.Options{MSS: 1460, HasMSS: true, SACKPermitted: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			p := b.peer(4000, test.seq, test.options)
			p.connect()
			p.send(segment.ACK|segment.PSH, "on the final ACK, ")
			p.send(segment.ACK|segment.PSH, "behind it")
			conn := b.accept()
			got := make([]byte, len("on the final ACK, behind it"))
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "on the final ACK, behind it" {
				t.Fatalf("read %q, %v", got, err)
			}
			if _, err := conn.Write([]byte("answer")); err != nil {
				t.Fatal(err)
			}
			s := p.receive(segment.PSH)
			if s.Seq != p.ack || s.Ack != p.seq || string(s.Payload) != "answer" {
				t.Errorf("the answer is %v, want seq %d ack %d", &s, p.ack, p.seq)
			}
			if n := b.stack.Counters()[stack.UnaskedSYNACKs]; n != 0 {
				t.Errorf("%d SYN-ACKs of netstack's that nobody asked for", n)
			}
		})
	}
}

// A client that resets right behind its final ACK leaves the queue.
func TestResetBehindFinalACK(t *testing.T) {
	b := newBench(t)
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	p.send(segment.ACK, "")
	p.send(segment.RST, "")
	b.eventually("no translation of the connection that was reset", func() bool {
		return b.stack.Counters()[stack.Adoptions] == 1 && b.stack.Connections() == 0
	})
	next := b.peer(4001, 5000, allOptions)
	next.connect()
	next.send(segment.ACK|segment.PSH, "next")
	conn := b.accept()
	if got := conn.RemoteAddr().String(); got != next.tuple.Client().String() {
		t.Errorf("accept returns %s, want the one that did not reset, %v", got, next.tuple.Client())
	}
}

// The segment that completes the handshake begins before the window, with bytes
// that the SYN took the numbers of: the rest of it counts, and the connection does
// not stand in the way of the next one.
func TestFinalACKThatOverlaps(t *testing.T) {
	b := newBench(t)
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	p.seq -= 4
	p.send(segment.ACK|segment.PSH, "....hello")
	next := b.peer(4001, 1000, allOptions)
	next.connect()
	next.send(segment.ACK|segment.PSH, "hello")
	for range 2 {
		got := make([]byte, 5)
		if _, err := io.ReadFull(b.accept(), got); err != nil || string(got) != "hello" {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

// eventually waits for a state that is reached by goroutines of others.
func (b *bench) eventually(what string, reached func() bool) {
	b.Helper()
	for !reached() {
		if b.ctx.Err() != nil {
			b.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// finish has the server close first, so that it is in TIME-WAIT.
func (p *peer) finish(conn net.Conn) {
	p.Helper()
	if err := conn.Close(); err != nil {
		p.Fatal(err)
	}
	fin := p.receive(segment.FIN)
	p.ack = fin.Seq + fin.Len()
	p.send(segment.ACK|segment.FIN, "")
	p.receive(segment.ACK)
}

// RFC 9293 section 3.10.7.4 and RFC 6191: in TIME-WAIT, a SYN beyond the last
// number or with a newer timestamp opens a new connection; an older one is
// acknowledged, and the RST that its client sends to that ends TIME-WAIT.
func TestTimeWaitReuse(t *testing.T) {
	for _, test := range []struct {
		name  string
		seq   func(last uint32) uint32
		tsval func(last uint32) uint32 // nil: no timestamps
		opens bool
	}{
		{"higher number", func(n uint32) uint32 { return n + 100 }, func(n uint32) uint32 { return n }, true},
		{"newer timestamp", func(n uint32) uint32 { return n - 50000 }, func(n uint32) uint32 { return n + 5 }, true},
		{"older timestamp", func(n uint32) uint32 { return n + 100 }, func(n uint32) uint32 { return n - 500 }, false},
		{"lower number", func(n uint32) uint32 { return n - 50000 }, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			options := allOptions
			options.HasTimestamps = test.tsval != nil
			p := b.peer(4000, 100000, options)
			p.connect()
			p.send(segment.ACK, "")
			p.finish(b.accept())
			again := b.peer(4000, test.seq(p.seq), options)
			if test.tsval != nil {
				again.tsval = test.tsval(p.tsval)
			}
			again.send(segment.SYN, "")
			if !test.opens {
				ack := again.receive(segment.ACK)
				if ack.Seq != p.ack || ack.Ack != p.seq || ack.Flags.Any(segment.SYN|segment.RST) {
					t.Errorf("an old SYN is answered with %v, want an ACK of %d from %d", &ack, p.seq, p.ack)
				}
				again.send(segment.SYN, "") // within 500 ms
				again.seq = ack.Ack
				again.send(segment.RST, "")
				b.eventually("the RST ends TIME-WAIT", func() bool { return b.stack.Connections() == 0 })
				counters := b.stack.Counters()
				if counters[stack.TimeWaitReuses] != 0 || counters[stack.ACKsSkippedTimeWait] != 1 || counters[stack.OutRsts] != 0 {
					t.Errorf("reopened by an old SYN, or its second one answered: %v", counters.Map())
				}
				again.seq = test.seq(p.seq)
				again.send(segment.SYN, "")
			}
			synACK := again.receive(segment.SYN | segment.ACK)
			again.ack = synACK.Seq + 1
			again.send(segment.ACK|segment.PSH, "again")
			got := make([]byte, 5)
			if _, err := io.ReadFull(b.accept(), got); err != nil || string(got) != "again" {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

// A SYN in TIME-WAIT that finds the completed queue full is dropped. When it
// comes again it may be answered with a SYN cookie, which leaves no entry: the
// cookie alone tells the new connection's final ACK from the old one's.
func TestTimeWaitReuseByCookie(t *testing.T) {
	settings := backlog.Settings{Backlog: 0, Somaxconn: 4096, MaxSynBacklog: 2048, Syncookies: 2}
	b := newBenchOf(t, tuntest.New(1500), profiles.Linux, settings)
	p := b.peer(4000, 100000, allOptions)
	p.connect()
	p.send(segment.ACK|segment.PSH, "first")
	first := b.accept()
	if _, err := io.ReadFull(first, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	p.finish(first)

	other := b.peer(4001, 1, allOptions)
	other.connect()
	other.send(segment.ACK, "")
	b.eventually("the completed queue is full", func() bool { return b.l.Snapshot(0).Counts.Completed == 1 })

	again := b.peer(4000, p.seq+100, allOptions)
	again.tsval = p.tsval
	again.send(segment.SYN, "")
	b.eventually("the SYN is dropped", func() bool { return b.l.Snapshot(0).Counters["ListenDrops"] == 1 })
	b.accept()
	again.seq = p.seq + 100
	again.connect()
	// The old connection's FIN, again: netstack still answers for it.
	fin := segment.Segment{Tuple: p.tuple, Seq: p.seq - 1, Ack: p.ack, Flags: segment.FIN | segment.ACK, Window: 1}
	if err := b.dev.Inject(segment.AppendRequest(nil, &fin)); err != nil {
		t.Fatal(err)
	}
	if s := p.receive(segment.ACK); s.Flags.Any(segment.RST|segment.SYN) || s.Ack != p.seq {
		t.Errorf("a FIN in TIME-WAIT is answered with %v, want an ACK of %d", &s, p.seq)
	}
	again.send(segment.ACK|segment.PSH, "again")
	conn := b.accept()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "again" {
		t.Errorf("read %q, %v", got, err)
	}
}

// RFC 5961 section 4: a SYN on an established connection is challenged, in the
// client's numbers.
func TestSYNOnEstablished(t *testing.T) {
	b := newBench(t)
	p := b.peer(4000, 1000, segment.Options{})
	p.connect()
	p.send(segment.ACK|segment.PSH, "x")
	conn := b.accept()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.receive(segment.ACK)
	syn := segment.Segment{Tuple: p.tuple, Seq: p.seq + 5, Flags: segment.SYN, Window: 100}
	if err := b.dev.Inject(segment.AppendRequest(nil, &syn)); err != nil {
		t.Fatal(err)
	}
	if s := p.receive(segment.ACK); s.Flags.Has(segment.RST) || s.Seq != p.ack || s.Ack != p.seq {
		t.Errorf("a SYN on an established connection is answered with %v, want ACK seq %d ack %d", &s, p.ack, p.seq)
	}
}

// Nothing but whole, right TCP segments to the endpoint's own address reaches
// the listener or netstack.
func TestFailClosed(t *testing.T) {
	b := newBench(t)
	good := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple4(4000), Seq: 1, Flags: segment.SYN, Window: 1})
	change := func(f func(p []byte)) []byte {
		p := bytes.Clone(good)
		f(p)
		return p
	}
	fixIP := func(p []byte) { // the header checksum again
		p[10], p[11] = 0, 0
		sum := uint32(0)
		for i := 0; i < 20; i += 2 {
			sum += uint32(p[i])<<8 | uint32(p[i+1])
		}
		sum = sum>>16 + sum&0xffff
		sum = sum>>16 + sum&0xffff
		p[10], p[11] = ^byte(sum>>8), ^byte(sum)
	}
	for i, packet := range [][]byte{
		{}, {0x45}, good[:19], good[:39], {0x60, 0}, {0xff, 1, 2},
		change(func(p []byte) { p[10] ^= 1 }),                      // IP checksum
		change(func(p []byte) { p[36] ^= 1 }),                      // TCP checksum
		change(func(p []byte) { p[6] = 0x20; fixIP(p) }),           // first fragment
		change(func(p []byte) { p[6], p[7] = 0, 1; fixIP(p) }),     // later fragment
		change(func(p []byte) { p[3] = 200; fixIP(p) }),            // longer than it is
		change(func(p []byte) { p[3] = 30; fixIP(p) }),             // cut TCP header
		change(func(p []byte) { p[32] = 0xf0 }),                    // data offset beyond the end
		change(func(p []byte) { p[32] = 0x10 }),                    // data offset inside the header
		change(func(p []byte) { p[19] = 255; fixIP(p) }),           // to the subnet's broadcast address
		change(func(p []byte) { p[16], p[19] = 224, 1; fixIP(p) }), // to a multicast address
		change(func(p []byte) { p[19] = 77; fixIP(p) }),            // to somebody else
	} {
		if err := b.dev.Inject(packet); err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
	}
	p := b.peer(4001, 1, allOptions)
	p.connect() // answered: all before it is dealt with
	if counts, _, _ := b.l.Counts(); counts.Incomplete != 1 {
		t.Errorf("%d entries, want that of the good SYN only", counts.Incomplete)
	}
	c := b.stack.Counters()
	if c[stack.ReasmReqds] != 2 || c[stack.ReasmFails] != 1 || c[stack.ReasmOKs] != 0 || c[stack.NotOurs] != 3 || c[stack.InCsumErrors] != 1 || c[stack.UnaskedSegments]+c[stack.UnaskedSYNACKs] != 0 {
		t.Errorf("counters %v", c.Map())
	}
}

func tuple4(port uint16) segment.Tuple {
	return segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), port), server)
}

// Closing the listener resets the connections that nobody accepted, and only
// these; an accepted one goes on.
func TestListenerClosed(t *testing.T) {
	b := newBench(t)
	taken := b.peer(4000, 1000, allOptions)
	taken.connect()
	taken.send(segment.ACK|segment.PSH, "x")
	conn := b.accept()
	queued := b.peer(4001, 1000, allOptions)
	queued.connect()
	queued.send(segment.ACK|segment.PSH, "y")
	b.eventually("the second connection is queued", func() bool { c, _, _ := b.l.Counts(); return c.Completed == 1 })
	if err := b.l.Close(); err != nil {
		t.Fatal(err)
	}
	queued.receive(segment.RST)
	if _, err := conn.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	if s := taken.receive(segment.PSH); string(s.Payload) != "still here" {
		t.Errorf("the accepted connection sends %v", &s)
	}
	late := b.peer(4002, 1, allOptions)
	late.send(segment.SYN, "")
	late.receive(segment.RST)
}

// Closing while connections are being adopted resets each of them.
func TestClosedWhileAdopting(t *testing.T) {
	for range 20 {
		b := newBench(t)
		resets := make(map[segment.Tuple]bool)
		for port := range uint16(13) {
			p := b.peer(4000+port, 1000, allOptions)
			p.connect()
			p.send(segment.ACK|segment.PSH, "x")
			resets[p.tuple] = false
		}
		if err := b.l.Close(); err != nil {
			t.Fatal(err)
		}
		for missing := len(resets); missing > 0; {
			packet, err := b.dev.Sent(b.ctx)
			if err != nil {
				t.Fatalf("%d of %d connections were not reset: %v", missing, len(resets), err)
			}
			var s segment.Segment
			if err := segment.Parse(packet, &s); err != nil {
				t.Fatalf("the endpoint sent %x: %v", packet, err)
			}
			client := s.Tuple.Reverse()
			if done, ours := resets[client]; ours && !done && s.Flags.Has(segment.RST) {
				resets[client] = true
				missing--
			}
		}
	}
}

func TestDeviceRemoved(t *testing.T) {
	b := newBench(t)
	if err := b.dev.Close(); err != nil {
		t.Fatal(err)
	}
	<-b.stack.Done()
	if err := b.stack.Err(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the stack says %v, want why the device cannot be read", err)
	}
}

// A SYN-ACK promises what netstack does afterwards, whatever the MTU.
func TestPromises(t *testing.T) {
	for _, mtu := range []int{576, 1500, 9000, 65521} {
		t.Run(fmt.Sprint(mtu), func(t *testing.T) {
			dev := tuntest.New(mtu)
			addrs := []netip.Prefix{subnet}
			if mtu >= 1280 { // RFC 8200 section 5
				addrs = append(addrs, netip.MustParsePrefix("2001:db8::2/64"))
			}
			st, err := stack.New(dev, stack.Config{Addrs: addrs})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			port, err := st.Open(80, ignore{})
			if err != nil {
				t.Fatal(err)
			}
			v4, v6 := port.Promises()
			if int(v4.MSS) != mtu-40 || mtu >= 1280 && int(v6.MSS) != mtu-60 {
				t.Errorf("MSS %d and %d at MTU %d", v4.MSS, v6.MSS, mtu)
			}
			if v4.Window == 0 || !v4.HasWindowScale || !v4.SACKPermitted || !v4.Timestamps {
				t.Errorf("promise %+v: want a window and all options", v4)
			}
		})
	}
}

// ignore is a listener that does nothing.
type ignore struct{}

func (ignore) Segment(*segment.Segment)        {}
func (ignore) Reopen(*segment.Segment, uint32) {}
func (ignore) Owns(*segment.Segment) bool      { return false }
