package stack_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
	"tcplab/tun/tuntest"
)

// generator makes packets as somebody would who wants to bring the endpoint down:
// on a few tuples, so that they come in every state of a connection; with numbers
// that are right, nearly right, at the edges of windows, or anything; and some of
// the packets broken.
type generator struct {
	*rand.Rand
	next   map[segment.Tuple]numbers
	tuples []segment.Tuple
	last   [][]byte // some of the last packets
}

func newGenerator(seed uint64) *generator {
	g := &generator{
		Rand: rand.New(rand.NewPCG(seed, 77)), next: make(map[segment.Tuple]numbers),
	}
	for i := range 24 {
		from, to := netip.AddrFrom4([4]byte{198, 51, 100, byte(i / 4)}), server
		if i%3 == 0 {
			from, to = netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0xd, 3: 0xb8, 15: byte(i)}), server6
		}
		if i%8 == 7 {
			to = netip.AddrPortFrom(to.Addr(), 81) // closed
		}
		g.tuples = append(g.tuples, segment.NewTuple(netip.AddrPortFrom(from, uint16(2000+i)), to))
	}
	return g
}

// near is a number that is n, or a little off, or at a window's edge, or anything.
func (g *generator) near(n uint32) uint32 {
	switch g.IntN(12) {
	case 0:
		return n + 1
	case 1:
		return n - 1
	case 2:
		return n + g.Uint32N(1<<16)
	case 3:
		return n - g.Uint32N(1<<16)
	case 4:
		return g.Uint32()
	case 5:
		return n + 65535
	}
	return n
}

// usual are flags of which a connection consists; others are made as well.
var usual = []segment.Flags{
	segment.SYN, segment.SYN, segment.ACK, segment.ACK, segment.ACK, segment.ACK | segment.PSH, segment.ACK | segment.PSH,
	segment.ACK | segment.FIN, segment.RST, segment.RST | segment.ACK, segment.SYN | segment.ACK,
}

// packet is the next packet.
func (g *generator) packet() []byte {
	if len(g.last) > 0 && g.IntN(20) == 0 {
		return bytes.Clone(g.last[g.IntN(len(g.last))])
	}
	tuple := g.tuples[g.IntN(len(g.tuples))]
	s := segment.Segment{Tuple: tuple, Flags: usual[g.IntN(len(usual))], Window: uint16(g.Uint32())}
	if g.IntN(15) == 0 {
		s.Flags = segment.Flags(g.Uint32())
	}
	s.Seq, s.Ack = g.near(g.next[tuple].ack), g.near(g.next[tuple].next)
	if g.IntN(3) == 0 {
		s.Payload = make([]byte, g.IntN(64<<g.IntN(5)))
	}
	if s.Flags.Has(segment.SYN) || g.IntN(2) == 0 {
		s.Options = segment.Options{
			HasMSS: g.IntN(2) == 0, MSS: uint16(g.Uint32()), SACKPermitted: g.IntN(2) == 0,
			HasWindowScale: g.IntN(2) == 0, WindowScale: uint8(g.IntN(16)),
			HasTimestamps: g.IntN(2) == 0, TSVal: g.Uint32(), TSEcr: g.Uint32(),
		}
	}
	packet := segment.AppendRequest(nil, &s)
	if g.IntN(10) == 0 {
		packet = g.broken(packet, &s)
	}
	if len(g.last) < 64 {
		g.last = append(g.last, nil)
	}
	g.last[g.IntN(len(g.last))] = bytes.Clone(packet)
	return packet
}

// broken is a packet with something wrong, its checksums made right again in half
// of the cases, so that what is wrong is found by who reads on.
func (g *generator) broken(packet []byte, s *segment.Segment) []byte {
	switch g.IntN(5) {
	case 0:
		packet = packet[:g.IntN(len(packet))+1]
	case 1: // an ICMP error about the connection
		quote := segment.AppendReply(nil, &segment.Segment{Tuple: s.Tuple, Seq: g.near(s.Ack), Ack: s.Seq, Flags: segment.ACK})
		return g.icmp(s.Tuple, quote)
	case 2:
		for range 1 + g.IntN(4) {
			packet[g.IntN(len(packet))] ^= byte(1 << g.IntN(8))
		}
	case 3: // options of any kind
		if at := len(packet) - len(s.Payload); at > 60 {
			for i := at - g.IntN(20); i < at; i++ {
				packet[i] = byte(g.Uint32())
			}
		}
	case 4:
		packet = append(packet, make([]byte, g.IntN(50))...)
	}
	if g.IntN(2) == 0 {
		mend(packet, nil)
	}
	return packet
}

// icmp is an error about the packet quote.
func (g *generator) icmp(tuple segment.Tuple, quote []byte) []byte {
	if !tuple.Is4() {
		return quote // as good as any other
	}
	packet := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple})[:20]
	packet = append(packet, []byte{3, 4, 11, 12, 5}[g.IntN(5)], byte(g.IntN(16)), 0, 0, 0, 0, byte(g.IntN(8)), byte(g.Uint32()))
	packet = append(packet, quote[:20+g.IntN(len(quote)-19)]...)
	packet[2], packet[3], packet[9] = byte(len(packet)>>8), byte(len(packet)), segment.ProtocolICMP
	segment.CompleteChecksum(packet[20:], 2)
	mend(packet, nil)
	return packet
}

// fickle echoes some of its connections, and resets, closes or half reads others.
func fickle(l net.Listener, random *rand.Rand) {
	for n := 0; ; n++ {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		how := random.IntN(6)
		go func() {
			defer conn.Close()
			buf := make([]byte, 100)
			switch how {
			case 0:
				return
			case 1:
				conn.(interface{ Abort() }).Abort()
			case 2:
				_, _ = conn.Read(buf)
			case 3:
				_, _ = conn.Write(make([]byte, 100_000))
			case 4:
				_ = conn.(interface{ CloseWrite() error }).CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
			default:
				_, _ = io.Copy(conn, conn)
			}
		}()
	}
}

// Ninety thousand hostile packets: nothing panics, what is sent is well-formed, the
// queues hold, netstack says nothing for a connection that nobody knows, and a client
// that means it is served in the end.
func TestHostilePackets(t *testing.T) {
	const packets, seeds = 15_000, 6
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newBenchOf(t, tuntest.NewSmall(1500), profiles.Linux, backlog.Settings{
				Backlog: 16, Somaxconn: 4096, MaxSynBacklog: 16, Syncookies: 1,
			})
			served := make(chan struct{})
			g := newGenerator(seed)
			go func() { defer close(served); fickle(b.l, rand.New(rand.NewPCG(seed, 1))) }()
			for range packets {
				b.stack.Inbound(g.packet(), offload.Header{})
				if g.IntN(16) == 0 {
					b.stack.Settle()
				}
				b.check(g.next)
			}
			b.eventually("netstack has established what it adopts", func() bool { return b.stack.Adopting() == 0 })
			b.check(g.next)
			c := b.stack.Counters()
			if c[stack.Adoptions] < packets/500 || c[stack.TimeWaitReuses] == 0 || c[stack.OutOfWindowICMPs] == 0 || c[stack.ChallengeACKs] == 0 {
				t.Errorf("the packets reach too little: %v", c.Map())
			}
			client := tuple4(65000)
			b.eventually("a client that means it gets a SYN-ACK", func() bool {
				// Not for the first SYN, perhaps: the accept queue may be full.
				b.stack.Inbound(segment.AppendRequest(nil, &segment.Segment{Tuple: client, Seq: 7, Flags: segment.SYN, Window: 1000}), offload.Header{})
				b.check(g.next)
				return g.next[client].ack == 8
			})
			b.l.Close()
			<-served
		})
	}
}
