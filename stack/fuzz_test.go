package stack_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
	"tcplab/tun/tuntest"
)

// What a packet on a tape is preceded by: one of these, and its length in two
// bytes.
const (
	asItIs   = 1 << iota // neither acknowledgment nor checksum are mended
	offloads             // an offload header is before the packet
	settles              // what it sets off in other goroutines is given a moment
)

// FuzzInbound plays a tape of packets to a whole endpoint: its listener, with
// connections that are adopted, answered and closed, and netstack behind. The
// seeds are packets of real clients (testdata/fuzz/FuzzInbound). What they
// acknowledge is replaced by what this endpoint has sent, so that handshakes are
// completed. Nothing may panic, no malformed packet be sent, no queue be longer
// than it may; and in the end a client that means it is served.
func FuzzInbound(f *testing.F) {
	f.Fuzz(func(t *testing.T, tape []byte) {
		b := newBenchOf(t, tuntest.NewSmall(1500), profiles.Linux, backlog.Settings{
			Backlog: 16, Somaxconn: 4096, MaxSynBacklog: 16, Syncookies: 1,
		})
		served := make(chan struct{})
		go func() { defer close(served); echo(b.l) }()
		defer func() {
			b.l.Close()
			<-served
		}()
		next := make(map[segment.Tuple]numbers)
		for len(tape) >= 3 {
			how, n := tape[0], int(binary.BigEndian.Uint16(tape[1:]))
			packet := tape[3:min(3+n, len(tape))]
			tape = tape[3+len(packet):]
			packet = append([]byte(nil), packet...)
			var h offload.Header
			if how&offloads != 0 && len(packet) >= offload.Size {
				h, packet = offload.Decode(packet), packet[offload.Size:]
			}
			if len(packet) == 0 {
				continue // no device has such packets
			}
			if how&asItIs == 0 {
				mend(packet, next)
			}
			b.stack.Inbound(packet, h)
			if how&settles != 0 {
				b.stack.Settle()
			}
			b.check(next)
		}
		last := netip.MustParseAddrPort("203.0.113.77:65000")
		if _, taken := next[segment.NewTuple(last, server)]; taken {
			return
		}
		p := b.peer(0, 1000, allOptions)
		p.tuple = segment.NewTuple(last, server)
		p.connect()
		p.send(segment.ACK|segment.PSH, "hello")
		if s := p.receive(segment.PSH); string(s.Payload) != "hello" {
			t.Errorf("answered with %q", s.Payload)
		}
	})
}

// numbers are what the endpoint last said to a client.
type numbers struct {
	next uint32 // what it sends next
	ack  uint32 // what it expects next
}

// echo sends back what its clients send, until the listener is closed.
func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

// mend has a TCP segment acknowledge what its endpoint has sent, and makes its
// checksums right.
func mend(packet []byte, next map[segment.Tuple]numbers) {
	if ip := header.IPv4(packet); len(packet) >= header.IPv4MinimumSize && packet[0] == 0x45 {
		ip.SetChecksum(0)
		ip.SetChecksum(^ip.CalculateChecksum())
	}
	ip, err := segment.ParseIP(packet)
	if err != nil || ip.Protocol != segment.ProtocolTCP || len(ip.Payload()) < header.TCPMinimumSize {
		return
	}
	tcp := header.TCP(ip.Payload())
	if ack, ok := next[segment.TupleOf(&ip)]; ok && segment.Flags(tcp.Flags()).Has(segment.ACK) {
		tcp.SetAckNumber(ack.next)
	}
	tcp.SetChecksum(header.PseudoHeaderChecksum(header.TCPProtocolNumber,
		tcpip.AddrFromSlice(ip.Source().AsSlice()), tcpip.AddrFromSlice(ip.Destination().AsSlice()), uint16(len(tcp))))
	segment.CompleteChecksum(tcp, header.TCPChecksumOffset)
}

// check looks at what the endpoint has sent by now, and at its queues.
func (b *bench) check(next map[segment.Tuple]numbers) {
	b.Helper()
	for packet, ok := b.dev.TrySent(); ok; packet, ok = b.dev.TrySent() {
		b.checkSent(packet, next)
	}
	c := b.stack.Counters()
	// Linux spares a SYN that reopens a connection in TIME-WAIT the limit.
	reopened := int(c[stack.TimeWaitReuses])
	if counts, _, _ := b.l.Counts(); counts.Incomplete > 17+reopened || counts.Completed > 17 {
		b.Fatalf("%+v of 17 each, and %d reopened", counts, reopened)
	}
	for _, bug := range []stack.Counter{
		stack.UnaskedSYNACKs, stack.UnaskedSegments, stack.OrphanedTranslations, stack.AdoptionsFailed,
	} {
		if c[bug] != 0 {
			b.Fatalf("%v is %d: %v", bug, c[bug], c.Map())
		}
	}
}

// checkSent wants a packet that is well-formed, from an address of the endpoint's, to
// one that a host may have.
func (b *bench) checkSent(packet []byte, next map[segment.Tuple]numbers) {
	b.Helper()
	ip, err := segment.ParseIP(packet)
	if err != nil {
		b.Fatalf("sent % x: %v", packet, err)
	}
	if ip.Protocol != segment.ProtocolTCP {
		return
	}
	var s segment.Segment
	if err := segment.Parse(packet, &s); err != nil {
		b.Fatalf("sent % x: %v", packet, err)
	}
	to := ip.Destination()
	if from := ip.Source(); from != server.Addr() && from != server6.Addr() ||
		to.IsMulticast() || to.IsLoopback() || to.IsUnspecified() || to == from || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		b.Fatalf("sent %v from %v to %v", &s, from, to)
	}
	if !s.Flags.Has(segment.RST) {
		next[s.Tuple.Reverse()] = numbers{s.Seq + s.Len(), s.Ack}
	}
}
