package stack_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
	"tcplab/tun/tuntest"
)

// null is a device that takes everything at no cost and never has a packet.
type null struct{ closed chan struct{} }

func (d *null) Read([]byte) (int, error) {
	<-d.closed
	return 0, errors.New("closed")
}
func (d *null) ReadOffload([]byte) (offload.Header, []byte, error) {
	<-d.closed
	return offload.Header{}, nil, errors.New("closed")
}
func (d *null) Write(p []byte) (int, error)                   { return len(p), nil }
func (d *null) WriteOffload(_ offload.Header, _ []byte) error { return nil }
func (d *null) MTU() int                                      { return 1500 }
func (d *null) Offload() bool                                 { return true }
func (d *null) Close() error                                  { close(d.closed); return nil }

// mutable is a device in memory that can be told to keep nothing.
type mutable struct {
	*tuntest.Device
	mute bool
}

func (d *mutable) WriteOffload(h offload.Header, framed []byte) error {
	if d.mute {
		return nil
	}
	return d.Device.WriteOffload(h, framed)
}

// hotBench is an endpoint on a null device with a listener of this backlog. Each
// event is looked at, as by an endpoint whose events nobody has asked for.
func hotBench(tb testing.TB, b int) *stack.Stack {
	tb.Helper()
	st, err := stack.New(&null{make(chan struct{})}, stack.Config{Addrs: []netip.Prefix{subnet}})
	if err != nil {
		tb.Fatal(err)
	}
	open := func(s listener.Segments) (listener.Port, error) { return st.Open(80, s) }
	seen := 0
	l, err := listener.Listen(open, listener.Config{
		Profile: profiles.Sum, Settings: backlog.Settings{Backlog: b, Somaxconn: 1 << 30, MaxSynBacklog: 1 << 30},
		Observer: func(listener.Event) { seen++ },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = l.Close()
		_ = st.Close()
	})
	return st
}

// syn is a SYN of the i-th client as the kernel hands it over.
func syn(i uint32) []byte {
	addr := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 198<<24|51<<16|i/60000)))
	tuple := segment.NewTuple(netip.AddrPortFrom(addr, uint16(1024+i%60000)), server)
	return unfinished(&segment.Segment{Tuple: tuple, Seq: i, Flags: segment.SYN, Window: 64240, Options: allOptions})
}

// again makes packet the SYN of another client without making a new one.
func again(packet []byte, client uint32) {
	was := binary.BigEndian.Uint32(packet[12:])
	binary.BigEndian.PutUint32(packet[12:], client)
	segment.UpdateChecksum32(packet[10:12], was, client, false)
	segment.UpdateChecksum32(packet[36:38], was, client, false)
}

// droppedSYN returns what drops one SYN, from the packet that was read on.
func droppedSYN(tb testing.TB) func() {
	st := hotBench(tb, 1)
	st.Inbound(syn(0), partial)
	fresh, packet := syn(1), make([]byte, 100)
	return func() {
		st.Inbound(packet[:copy(packet, fresh)], partial) // its checksum is completed in place
	}
}

// answeredSYN returns what answers a SYN that is there already.
func answeredSYN(tb testing.TB) func() {
	st := hotBench(tb, 1)
	st.Inbound(syn(0), partial)
	fresh, packet := syn(0), make([]byte, 100)
	return func() { st.Inbound(packet[:copy(packet, fresh)], partial) }
}

// translated returns what translates a segment in both directions: 1448 bytes in,
// an ACK out.
func translated(tb testing.TB) func() {
	dev := &mutable{Device: tuntest.NewOffload(1500)}
	b := benchOn(tb, dev)
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	p.send(segment.ACK|segment.PSH, "now")
	conn := b.accept()
	if _, err := conn.Read(make([]byte, 10)); err != nil {
		tb.Fatal(err)
	}
	dev.mute = true
	undo := b.stack.Sink()
	tb.Cleanup(undo)
	data := segment.Segment{
		Tuple: p.tuple, Seq: p.seq, Ack: p.ack, Flags: segment.ACK, Window: 1000, Payload: make([]byte, 1448),
		Options: segment.Options{HasTimestamps: true, TSVal: p.tsval, TSEcr: p.tsecr},
	}
	in, packet := unfinished(&data), make([]byte, 2000)
	data.Payload = nil
	out := segment.AppendReply(make([]byte, offload.Size), &data)
	framed := make([]byte, 200)
	return func() {
		b.stack.Inbound(packet[:copy(packet, in)], partial)
		b.stack.Outbound(framed[:copy(framed, out)], offload.Header{})
	}
}

// What happens for each packet of a flood or of a transfer allocates nothing.
func TestHotPathsAllocateNothing(t *testing.T) {
	for _, path := range []struct {
		name string
		run  func()
	}{
		{"a dropped SYN", droppedSYN(t)},
		{"an answered SYN", answeredSYN(t)},
		{"a segment translated", translated(t)},
	} {
		if n := testing.AllocsPerRun(1000, path.run); n > spare {
			t.Errorf("%s makes %v allocations", path.name, n)
		}
	}
}

func BenchmarkDroppedSYN(b *testing.B)  { benchmark(b, droppedSYN(b)) }
func BenchmarkAnsweredSYN(b *testing.B) { benchmark(b, answeredSYN(b)) }
func BenchmarkTranslated(b *testing.B)  { benchmark(b, translated(b)) }

func benchmark(b *testing.B, run func()) {
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

// BenchmarkAdmittedSYN is a SYN that takes a place, and its SYN-ACK.
func BenchmarkAdmittedSYN(b *testing.B) {
	st := hotBench(b, 1<<30)
	packet := syn(0)
	segment.CompleteChecksum(packet[20:], 16)
	b.ReportAllocs()
	for i := uint32(0); b.Loop(); i++ {
		again(packet, 10<<24+i)
		st.Inbound(packet, offload.Header{})
	}
	if n := st.Counters()[stack.InCsumErrors]; n != 0 {
		b.Fatalf("%d SYNs were dropped for their checksum", n)
	}
}
