package trace_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/trace"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
)

var _ stack.Tap = (*trace.Recorder)(nil)

// tuple is the connection of a client that has this port, over IPv6 if the port
// is odd.
func tuple(port uint16) segment.Tuple {
	client, server := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddrPort("192.0.2.2:80")
	if port%2 == 1 {
		client, server = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddrPort("[2001:db8::2]:80")
	}
	return segment.NewTuple(netip.AddrPortFrom(client, port), server)
}

func request(port uint16) []byte {
	return segment.AppendRequest(nil, &segment.Segment{Tuple: tuple(port), Flags: segment.SYN, Payload: make([]byte, 100)})
}

func reply(port uint16) []byte {
	return segment.AppendReply(nil, &segment.Segment{Tuple: tuple(port), Flags: segment.SYN | segment.ACK})
}

func event(kind handshake.Kind, port uint16) *listener.Event {
	return &listener.Event{Event: handshake.Event{Kind: kind, Tuple: tuple(port), Profile: profiles.BSD}}
}

// next takes a packet that must be there, and says it in a line: direction, port
// of the client, events.
func next(t *testing.T, s *trace.Subscription) string {
	t.Helper()
	p := take(t, s)
	of, ok := p.Tuple()
	if !ok {
		t.Fatalf("the packet % x has no tuple", p.Data)
	}
	direction := "out"
	if p.Inbound {
		direction = "in"
	}
	line := fmt.Sprintf("%s %d", direction, of.ClientPort)
	for _, e := range p.Events {
		line += " " + e.Kind.String()
		if p.Foreign(&e) {
			line += fmt.Sprintf("(%d)", e.Tuple.ClientPort)
		}
	}
	return line
}

func take(t *testing.T, s *trace.Subscription) trace.Packet {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if s.Waiting() == 0 {
		cancel() // it must be there already
	}
	defer cancel()
	p, err := s.Next(ctx)
	if err != nil {
		t.Fatalf("no packet: %v", err)
	}
	return p
}

func want(t *testing.T, s *trace.Subscription, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if got := next(t, s); got != line {
			t.Errorf("packet %q, want %q", got, line)
		}
	}
	if n := s.Waiting(); n != 0 {
		t.Errorf("%d more packets", n)
	}
}

// What the listener says while a packet is handled belongs to that packet, and
// what leaves meanwhile stands behind it, whoever sends it.
func TestEventsOfThePacketBeingHandled(t *testing.T) {
	var r trace.Recorder
	s := r.Subscribe(100, 1000)
	for _, port := range []uint16{4000, 4001} {
		r.In(request(port), offload.Header{})
		r.Out(reply(5000), offload.Header{}) // of another goroutine
		r.Event(event(handshake.Retransmitted, port))
		r.Event(event(handshake.Evicted, 6000))
		r.Event(event(handshake.SYNAdmitted, port))
		r.Event(event(handshake.Accepted, 7000))
		r.Out(reply(port), offload.Header{})
		if s.Waiting() != 0 {
			t.Error("a packet was handed on before it was handled")
		}
		r.Handled()
		r.Out(reply(7000), offload.Header{})
		want(t, s,
			fmt.Sprintf("in %d evicted(6000) syn-admitted", port),
			"out 5000",
			fmt.Sprintf("out %d synack-retransmitted", port),
			"out 7000 accepted")
	}
}

// An event without a packet waits for one of its connection that can show it.
func TestEventsWithoutAPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r trace.Recorder
		s := r.Subscribe(100, 1000)
		in := func(port uint16) {
			r.In(request(port), offload.Header{})
			r.Handled()
		}
		r.Event(event(handshake.Retransmitted, 4000))
		r.Event(event(handshake.Accepted, 4002))
		r.Event(event(handshake.Expired, 4004)) // bsd sends RST
		in(4000)
		in(4002)
		r.Out(reply(4000), offload.Header{})
		r.Out(reply(4004), offload.Header{})
		want(t, s, "in 4000", "in 4002 accepted", "out 4000 synack-retransmitted", "out 4004 expired")

		// None can follow.
		silent := event(handshake.Expired, 4006)
		silent.Profile = profiles.Linux
		r.Event(silent)
		r.Event(event(handshake.Reset, 4008))
		in(4000)
		want(t, s, "in 4000 expired(4006) reset(4008)")

		// None follows.
		r.Event(event(handshake.Accepted, 4010))
		in(4000)
		time.Sleep(time.Second)
		in(4000)
		in(4010)
		want(t, s, "in 4000", "in 4000 accepted(4010)", "in 4010")
	})
}

// However many events wait, some are kept, few are shown at a packet that is not
// theirs, and those that are dropped are counted.
func TestPendingEventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r trace.Recorder
		s := r.Subscribe(100, 1000)
		const many = 2000
		for range many {
			r.Event(event(handshake.Closed, 4000))
		}
		time.Sleep(time.Minute)
		shown, lost := 0, 0
		for last := -1; shown > last; {
			last = shown
			r.In(request(5000), offload.Header{})
			r.Handled()
			p := take(t, s)
			if len(p.Events) > 32 {
				t.Fatalf("%d events at a packet", len(p.Events))
			}
			shown += len(p.Events)
			lost += int(p.LostEvents)
		}
		if shown+lost != many || shown != 512 {
			t.Errorf("%d events shown, %d lost, want 512 and %d", shown, lost, many-512)
		}
	})
}

// A slow reader loses the oldest packets and is told so; others lose nothing.
func TestSlowReaderLoses(t *testing.T) {
	var r trace.Recorder
	slow, fast := r.Subscribe(3, 1000), r.Subscribe(100, 64)
	for port := range uint16(10) {
		r.Out(reply(4000+port), offload.Header{})
	}
	p := take(t, slow)
	if of, _ := p.Tuple(); p.Lost != 7 || of.ClientPort != 4007 {
		t.Errorf("after %d lost packets comes that of %v, want 7 and port 4007", p.Lost, of)
	}
	if p := take(t, slow); p.Lost != 0 {
		t.Errorf("the loss is told twice")
	}
	for range 10 {
		if p := take(t, fast); p.Lost != 0 || len(p.Data) > 64 {
			t.Errorf("%d lost, %d bytes of a packet, want 0 and at most 64", p.Lost, len(p.Data))
		}
	}
}

// Large packets fill a subscription before their number does.
func TestWaitingBytesAreBounded(t *testing.T) {
	var r trace.Recorder
	s := r.Subscribe(1<<20, 1<<20)
	packet := segment.AppendReply(nil, &segment.Segment{Tuple: tuple(4000), Payload: make([]byte, 60000)})
	for range 3000 {
		r.Out(packet, offload.Header{})
	}
	if n := s.Waiting() * len(packet); n > 64<<20 || n < 50<<20 {
		t.Errorf("%d bytes wait, want a little less than 64 MB", n)
	}
	if p := take(t, s); p.Lost != uint64(3000-1-s.Waiting()) || p.Length != len(packet) {
		t.Errorf("%d packets lost, %d wait", p.Lost, s.Waiting())
	}
}

// The end comes after what is left, for all readers and for late ones.
func TestEnd(t *testing.T) {
	var r trace.Recorder
	s, other := r.Subscribe(10, 64), r.Subscribe(10, 64)
	r.In(request(4000), offload.Header{})
	other.Close()
	if _, err := other.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v, want io.EOF", err)
	}
	r.Close()
	r.Handled()
	want(t, s, "in 4000")
	for _, s := range []*trace.Subscription{s, s, r.Subscribe(10, 64)} {
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v, want io.EOF", err)
		}
	}
}

// The packet is copied at once, and cut.
func TestSnaplen(t *testing.T) {
	var r trace.Recorder
	s := r.Subscribe(10, 70)
	packet := request(4000)
	whole := slices.Clone(packet)
	r.In(packet, offload.Header{})
	clear(packet)
	r.Handled()
	if p := take(t, s); !slices.Equal(p.Data, whole[:70]) || p.Length != len(whole) {
		t.Errorf("% x of %d bytes, want % x of %d", p.Data, p.Length, whole[:70], len(whole))
	}
}

// A packet that one reader has given back stays as it is for the others.
func TestReleasedPacketsAreShared(t *testing.T) {
	var r trace.Recorder
	one, other := r.Subscribe(1000, 1000), r.Subscribe(1000, 1000)
	for port := range uint16(500) {
		r.Out(reply(4000+port), offload.Header{})
		p := take(t, one)
		p.Release()
	}
	for port := range uint16(500) {
		p := take(t, other)
		if !slices.Equal(p.Data, reply(4000+port)) {
			t.Fatalf("packet %d is another one by now", port)
		}
		p.Release()
	}
	(&trace.Packet{}).Release() // of a test's own
}

// What a packet costs whose reader gives it back.
func BenchmarkReleasedPacket(b *testing.B) {
	var r trace.Recorder
	s := r.Subscribe(10, 1<<20)
	packet := segment.AppendReply(nil, &segment.Segment{Tuple: tuple(4000), Payload: make([]byte, 60000)})
	b.ReportAllocs()
	b.SetBytes(int64(len(packet)))
	for b.Loop() {
		r.Out(packet, offload.Header{})
		p, err := s.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		p.Release()
	}
}

func TestNobodyLooks(t *testing.T) {
	var r trace.Recorder
	in, out, e := request(4000), reply(4000), event(handshake.SYNAdmitted, 4000)
	once := func() { r.In(in, offload.Header{}); r.Event(e); r.Out(out, offload.Header{}); r.Handled() }
	if n := testing.AllocsPerRun(100, once); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	s := r.Subscribe(1, 100)
	if n := testing.AllocsPerRun(100, func() { r.Out(out, offload.Header{}) }); n > 3 {
		t.Errorf("%v allocations for a packet, want a Packet, its copy, and what counts who looks at it", n)
	}
	s.Close()
	if n := testing.AllocsPerRun(100, once); n != 0 {
		t.Errorf("%v allocations when nobody looks any more, want none", n)
	}
}

// Every packet and event comes through once, in order of a goroutine's own.
func TestConcurrentUse(t *testing.T) {
	var r trace.Recorder
	s := r.Subscribe(1<<16, 64)
	const each = 2000
	var workers sync.WaitGroup
	workers.Go(func() {
		for range each {
			r.In(request(4000), offload.Header{})
			r.Event(event(handshake.SYNDropped, 4000))
			r.Handled()
		}
	})
	for port := uint16(5000); port < 5003; port++ {
		workers.Go(func() {
			for range each {
				r.Event(event(handshake.Retransmitted, port))
				r.Out(reply(port), offload.Header{})
				r.Subscribe(1, 64).Close()
			}
		})
	}
	workers.Wait()
	r.Close()
	packets, events := 0, 0
	var last time.Time
	for {
		p, err := s.Next(t.Context())
		if err != nil {
			break
		}
		if p.Time.Before(last) {
			t.Fatal("a packet stands before an earlier one")
		}
		last = p.Time
		packets++
		events += len(p.Events)
	}
	if packets != 4*each || events != 4*each {
		t.Errorf("%d packets and %d events, want %d of each", packets, events, 4*each)
	}
}

// Whatever comes from the host, and wherever it is cut.
func FuzzTuple(f *testing.F) {
	f.Add(request(4000), 30)
	f.Add(reply(4001), 60)
	f.Add([]byte{0x45}, 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		p := trace.Packet{Data: data[:min(max(cut, 0), len(data))], Inbound: true}
		got, ok := p.Tuple()
		var s segment.Segment
		if ok && segment.Parse(p.Data, &s) == nil && s.Tuple != got {
			t.Errorf("tuple %v, want %v", got, s.Tuple)
		}
	})
}
