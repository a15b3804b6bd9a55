package stack_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/tuntest"
)

var (
	subnet6 = netip.MustParsePrefix("2001:db8:77::2/64")
	server6 = netip.AddrPortFrom(subnet6.Addr(), 80)
)

// inject sends a segment to the endpoint.
func (b *bench) inject(s segment.Segment) {
	b.Helper()
	if s.Window == 0 {
		s.Window = 65000
	}
	if err := b.dev.Inject(segment.AppendRequest(nil, &s)); err != nil {
		b.Fatal(err)
	}
}

// answers are what the endpoint has sent to all that came before: a SYN comes
// last, and what is sent before its answer is returned.
func (b *bench) answers() (packets [][]byte) {
	b.Helper()
	last := tuple4(4000)
	b.inject(segment.Segment{Tuple: last, Flags: segment.SYN})
	for {
		packet, err := b.dev.Sent(b.ctx)
		if err != nil {
			b.Fatal(err)
		}
		var s segment.Segment
		if segment.Parse(packet, &s) == nil && s.Tuple == last.Reverse() && s.Flags == segment.SYN|segment.ACK {
			return packets
		}
		packets = append(packets, packet)
	}
}

// unheard wants no answer and no entry.
func (b *bench) unheard() {
	b.Helper()
	for _, packet := range b.answers() {
		b.Errorf("answered with % x", packet)
	}
	if counts, _, _ := b.l.Counts(); counts.Total() != 1 { // that of answers
		b.Errorf("%d entries in the queues", counts.Total()-1)
	}
}

// What comes from an address that no host has is not answered, whatever it is
// and whatever port it is for (RFC 9293 3.9.2.3, MUST-57 and MUST-63). A SYN from
// the endpoint's own address and port is the land attack (CERT CA-1997-28).
func TestSourcesThatNoHostHas(t *testing.T) {
	for _, source := range []string{
		"192.0.2.2", "192.0.2.255", "255.255.255.255", "224.0.0.1", "239.1.2.3", "127.0.0.1", "0.0.0.0",
		"2001:db8:77::2", "ff02::1", "::1", "::",
	} {
		t.Run(source, func(t *testing.T) {
			b := newBenchOf(t, tuntest.New(1500), profiles.BSD, backlog.Settings{Backlog: 8, Somaxconn: 4096, MaxSynBacklog: 2048})
			addr, to := netip.MustParseAddr(source), server
			if addr.Is6() {
				to = server6
			}
			for _, port := range []uint16{80, 81} { // open, closed
				for _, from := range []uint16{port, 5000} {
					for _, flags := range []segment.Flags{
						segment.SYN, segment.ACK, segment.SYN | segment.ACK, segment.RST, segment.FIN, 0, segment.FIN | segment.PSH | segment.URG,
					} {
						tuple := segment.NewTuple(netip.AddrPortFrom(addr, from), netip.AddrPortFrom(to.Addr(), port))
						b.inject(segment.Segment{Tuple: tuple, Seq: 7, Ack: 9, Flags: flags})
					}
				}
			}
			b.unheard()
		})
	}
}

// Whoever cannot see the segments of a half-open connection can neither reset
// nor complete it: a RST has to be in the window, an ACK exact (RFC 9293 3.10.7.4,
// RFC 5961 section 3).
func TestBlindSegmentsInSYNReceived(t *testing.T) {
	const tries = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	b := newBench(t)
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	for range tries {
		rst := segment.Segment{Tuple: p.tuple, Flags: segment.RST, Seq: p.seq + 70_000 + random.Uint32N(1<<32-140_000)}
		ack := segment.Segment{Tuple: p.tuple, Flags: segment.ACK, Seq: p.seq, Ack: p.ack + 1 + random.Uint32N(1<<32-1)}
		if random.IntN(2) == 0 {
			ack.Flags, ack.Payload = segment.ACK|segment.PSH, []byte("GET / HTTP/1.0\r\n\r\n")
		}
		b.inject(rst)
		b.inject(ack)
		for ok := true; ok; { // so that the device does not overflow
			_, ok = b.dev.TrySent()
		}
	}
	b.eventually("all are read", func() bool { return b.stack.Counters()[stack.PacketsIn] == 1+2*tries })
	if counts, _, _ := b.l.Counts(); counts.Incomplete != 1 || counts.Completed != 0 {
		t.Fatalf("%+v, want the half-open entry of before", counts)
	}
	p.send(segment.ACK|segment.PSH, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(b.accept(), got); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
}

// A RST in the window of an established connection, but not at its beginning, is
// answered with a challenge ACK (RFC 5961 section 3.2), and its data goes on.
func TestBlindResetOfEstablished(t *testing.T) {
	b := newBench(t)
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	p.send(segment.ACK|segment.PSH, "he")
	conn := b.accept()
	for i := range uint32(1000) {
		b.inject(segment.Segment{Tuple: p.tuple, Flags: segment.RST, Seq: p.seq + 1 + i*13})
	}
	p.send(segment.ACK|segment.PSH, "llo")
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
}

// fragment is a part of a packet, at an offset that is a multiple of 8.
type fragment struct {
	offset int
	data   []byte
	more   bool
}

// packet4 is an IPv4 packet with a fragment.
func (f fragment) packet4(protocol tcpip.TransportProtocolNumber) []byte {
	packet := make([]byte, header.IPv4MinimumSize, header.IPv4MinimumSize+len(f.data))
	ip := header.IPv4(packet)
	fields := header.IPv4Fields{
		TotalLength: uint16(header.IPv4MinimumSize + len(f.data)), ID: 77, TTL: 64, Protocol: uint8(protocol),
		FragmentOffset: uint16(f.offset), SrcAddr: tcpip.AddrFrom4([4]byte{198, 51, 100, 7}), DstAddr: tcpip.AddrFrom4(server.Addr().As4()),
	}
	if f.more {
		fields.Flags = header.IPv4FlagMoreFragments
	}
	ip.Encode(&fields)
	ip.SetChecksum(^ip.CalculateChecksum())
	return append(packet, f.data...)
}

// packet6 is an IPv6 packet with a fragment.
func (f fragment) packet6(protocol tcpip.TransportProtocolNumber) []byte {
	const fixed, ext = header.IPv6MinimumSize, 8
	packet := make([]byte, fixed+ext, fixed+ext+len(f.data))
	header.IPv6(packet).Encode(&header.IPv6Fields{
		PayloadLength: uint16(ext + len(f.data)), TransportProtocol: header.IPv6FragmentHeader, HopLimit: 64,
		SrcAddr: tcpip.AddrFrom16(client6.As16()), DstAddr: tcpip.AddrFrom16(server6.Addr().As16()),
	})
	packet[fixed] = uint8(protocol)
	offset := uint16(f.offset)
	if f.more {
		offset |= 1
	}
	binary.BigEndian.PutUint16(packet[fixed+2:], offset)
	binary.BigEndian.PutUint32(packet[fixed+4:], 77)
	return append(packet, f.data...)
}

var client6 = netip.MustParseAddr("2001:db8:77::7")

// echo4 is an echo request, 32 bytes of ICMP.
func echo4() []byte {
	b := make([]byte, 32)
	copy(b[8:], "what is asked comes back")
	icmp := header.ICMPv4(b)
	icmp.SetType(header.ICMPv4Echo)
	icmp.SetChecksum(^checksum.Checksum(b, 0))
	return b
}

func echo6() []byte {
	b := make([]byte, 32)
	copy(b[8:], "what is asked comes back")
	icmp := header.ICMPv6(b)
	icmp.SetType(header.ICMPv6EchoRequest)
	icmp.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{
		Header: icmp, Src: tcpip.AddrFrom16(client6.As16()), Dst: tcpip.AddrFrom16(server6.Addr().As16()),
	}))
	return b
}

// Fragments that overlap make no packet (RFC 5722, and for IPv4 RFC 1858 section
// 3): who writes over what was checked gets no answer. The same ones without an
// overlap do. TCP comes in no fragments at all.
func TestOverlappingFragments(t *testing.T) {
	type build func(fragment) []byte
	v4 := func(f fragment) []byte { return f.packet4(header.ICMPv4ProtocolNumber) }
	v6 := func(f fragment) []byte { return f.packet6(header.ICMPv6ProtocolNumber) }
	for _, test := range []struct {
		name     string
		build    build
		echo     []byte
		overlap  bool
		answered bool
	}{
		{"IPv4", v4, echo4(), false, true},
		{"IPv4, overlapping", v4, echo4(), true, false},
		{"IPv6", v6, echo6(), false, true},
		{"IPv6, overlapping", v6, echo6(), true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			parts := []fragment{{0, test.echo[:16], true}, {16, test.echo[16:], false}}
			if test.overlap {
				parts = []fragment{{0, test.echo[:16], true}, {8, bytes.Repeat([]byte("x"), 16), true}, {16, test.echo[16:], false}}
			}
			for _, part := range parts {
				if err := b.dev.Inject(test.build(part)); err != nil {
					t.Fatal(err)
				}
			}
			answers := 0
			for _, packet := range b.answers() {
				if bytes.Contains(packet, test.echo[8:]) {
					answers++
				}
			}
			if (answers == 1) != test.answered {
				t.Errorf("%d answers", answers)
			}
		})
	}
}

// A SYN in fragments is answered like a whole one, in whatever order they come and
// doubled; not if one of them writes over the flags (RFC 1858 section 3.1) or
// contradicts another, or if a part is missing.
func TestFragmentsOfTCP(t *testing.T) {
	for _, test := range []struct {
		name  string
		parts func(tcp []byte) []fragment
		heard bool
	}{
		{"two", func(tcp []byte) []fragment { return []fragment{{0, tcp[:16], true}, {16, tcp[16:], false}} }, true},
		{"the last one first", func(tcp []byte) []fragment { return []fragment{{16, tcp[16:], false}, {0, tcp[:16], true}} }, true},
		{"in eights, doubled", func(tcp []byte) []fragment {
			return []fragment{{8, tcp[8:16], true}, {0, tcp[:8], true}, {8, tcp[8:16], true}, {16, tcp[16:], false}}
		}, true},
		{"overlapping", func(tcp []byte) []fragment {
			return []fragment{{0, tcp[:16], true}, {8, tcp[8:24], true}, {16, tcp[16:], false}}
		}, false},
		{"overlapping, and once more", func(tcp []byte) []fragment {
			return []fragment{{0, tcp[:16], true}, {8, tcp[8:24], true}, {0, tcp[:16], true}, {16, tcp[16:], false}}
		}, false},
		{"the flags rewritten", func(tcp []byte) []fragment {
			return []fragment{{8, []byte("rewrites"), true}, {0, tcp[:16], true}, {16, tcp[16:], false}}
		}, false},
		{"two ends", func(tcp []byte) []fragment {
			return []fragment{{24, tcp[24:], false}, {16, tcp[16:24], false}, {0, tcp[:16], true}}
		}, false},
		{"no beginning", func(tcp []byte) []fragment { return []fragment{{16, tcp[16:], false}} }, false},
		{"no end", func(tcp []byte) []fragment { return []fragment{{0, tcp, true}} }, false},
		{"a part of no eights", func(tcp []byte) []fragment { return []fragment{{0, tcp[:12], true}, {16, tcp[16:], false}} }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			p := b.peer(4001, 1000, segment.Options{})
			syn := segment.AppendRequest(nil, &segment.Segment{Tuple: p.tuple, Seq: 1000, Flags: segment.SYN, Window: 1000, Payload: []byte("with data...")})
			for _, part := range test.parts(syn[20:]) {
				if err := b.dev.Inject(part.packet4(header.TCPProtocolNumber)); err != nil {
					t.Fatal(err)
				}
			}
			if test.heard {
				p.receive(segment.SYN | segment.ACK)
			} else {
				b.unheard()
			}
			if n := b.stack.Counters()[stack.ReasmOKs]; (n == 1) != test.heard {
				t.Errorf("%d segments came of fragments", n)
			}
		})
	}
}

// Nobody's TCP needs fragments over IPv6: they are dropped.
func TestFragmentsOfTCPOverIPv6(t *testing.T) {
	b := newBench(t)
	tuple := segment.NewTuple(netip.AddrPortFrom(client6, 4001), server6)
	syn := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Seq: 1000, Flags: segment.SYN, Window: 1000, Payload: []byte("with data...")})
	for _, part := range []fragment{{0, syn[40:56], true}, {16, syn[56:], false}} {
		if err := b.dev.Inject(part.packet6(header.TCPProtocolNumber)); err != nil {
			t.Fatal(err)
		}
	}
	b.unheard()
	if n := b.stack.Counters()[stack.TCPFragments]; n != 2 {
		t.Errorf("%d fragments are counted, want 2", n)
	}
}
