package stack_test

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/tuntest"
)

// goesOn wants a connection of which nothing is lost: nobody was sent a RST, no
// other handshake is under way, and data arrives, as it was sent, in both directions.
func (p *peer) goesOn(conn io.ReadWriter) {
	p.Helper()
	got := make([]byte, 5)
	p.send(segment.ACK|segment.PSH, "hello")
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		p.Errorf("read %q, %v", got, err)
	}
	if _, err := conn.Write([]byte("answer")); err != nil {
		p.Errorf("write: %v", err)
	}
	for {
		packet, err := p.dev.Sent(p.ctx)
		if err != nil {
			p.Fatalf("no answer: %v", err)
		}
		var s segment.Segment
		if segment.Parse(packet, &s) != nil || s.Tuple != p.tuple.Reverse() {
			continue
		}
		if s.Flags.Any(segment.RST | segment.SYN) {
			p.Fatalf("the client was sent %v", &s)
		}
		if s.Flags.Has(segment.PSH) {
			if s.Seq != p.ack || string(s.Payload) != "answer" {
				p.Errorf("the answer is %v, want sequence number %d", &s, p.ack)
			}
			p.ack += s.Len()
			p.send(segment.ACK, "")
			break
		}
	}
	if counts, _, _ := p.l.Counts(); counts.Total() != 0 {
		p.Errorf("%d entries in the queues", counts.Total())
	}
}

// blind are attacks of somebody who knows the addresses and ports of a connection
// and sees none of its segments.
var blind = map[string]func(p *peer, random *rand.Rand){
	// Data anywhere, a RST right behind it, and a SYN that seems to open a new
	// connection after that.
	"data, RST and SYN": func(p *peer, random *rand.Rand) {
		at := random.Uint32()
		for _, s := range []segment.Segment{
			{Seq: at, Ack: random.Uint32(), Flags: segment.ACK, Payload: []byte("x")},
			{Seq: at + 1, Flags: segment.RST},
			{Seq: at + 1000, Flags: segment.SYN},
			{Seq: at + 1000, Flags: segment.SYN},
		} {
			s.Tuple = p.tuple
			p.inject(s)
		}
	},
	"FIN and SYN": func(p *peer, random *rand.Rand) {
		at := random.Uint32()
		p.inject(segment.Segment{Tuple: p.tuple, Seq: at, Ack: random.Uint32(), Flags: segment.FIN | segment.ACK})
		p.inject(segment.Segment{Tuple: p.tuple, Seq: at + 1000, Flags: segment.SYN})
	},
	// A sequence number in the window, as one of 2^16 tries has, with an acknowledgment
	// of what was never sent (RFC 5961 section 5.2).
	"data in the window": func(p *peer, random *rand.Rand) {
		ack := p.ack + 1 + random.Uint32N(1<<31-2)
		p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq, Ack: ack, Flags: segment.ACK | segment.PSH, Payload: []byte("evil!")})
		p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq, Ack: ack, Flags: segment.ACK | segment.FIN})
	},
	"RST in the window": func(p *peer, random *rand.Rand) {
		p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq + 1 + random.Uint32N(60_000), Flags: segment.RST})
		p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq + 1 + random.Uint32N(60_000), Flags: segment.SYN})
	},
	"ICMP": func(p *peer, random *rand.Rand) {
		for _, kind := range [][2]byte{{3, 0}, {3, 1}, {3, 2}, {3, 3}, {4, 0}, {11, 0}, {12, 0}, {3, 4}} {
			p.icmp(kind[0], kind[1], random.Uint32(), uint16(random.Uint32N(600)))
		}
	},
}

// icmp has a router say that a segment of the server's could not be delivered.
func (p *peer) icmp(kind, code byte, seq uint32, mtu uint16) {
	p.Helper()
	quote := segment.AppendReply(nil, &segment.Segment{Tuple: p.tuple, Seq: seq, Ack: p.seq, Flags: segment.ACK})
	packet := make([]byte, 28, 28+len(quote))
	packet = append(packet, quote[:28]...)
	ip := header.IPv4(packet)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(header.ICMPv4ProtocolNumber),
		SrcAddr: tcpip.AddrFrom4([4]byte{203, 0, 113, 1}), DstAddr: tcpip.AddrFrom4(server.Addr().As4()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := packet[20:]
	icmp[0], icmp[1] = kind, code
	binary.BigEndian.PutUint16(icmp[6:], mtu)
	binary.BigEndian.PutUint16(icmp[2:], ^checksum.Checksum(icmp, 0))
	if err := p.dev.Inject(packet); err != nil {
		p.Fatal(err)
	}
}

// Whoever knows the addresses and ports of an established connection but does not
// see its segments cannot end it, put data into it, slow it down, nor open another
// one in its place (RFC 5961, RFC 5927).
func TestBlindAttacksOnEstablished(t *testing.T) {
	for name, attack := range blind {
		for _, options := range []segment.Options{allOptions, {}} {
			t.Run(name, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				b := newBench(t)
				p := b.peer(4000, 1<<32-5, options)
				p.connect()
				p.send(segment.ACK|segment.PSH, "hello")
				conn := b.accept()
				if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
					t.Fatal(err)
				}
				for range 100 {
					attack(p, random)
					p.goesOn(conn)
				}
			})
		}
	}
}

// An ICMP error that says how large packets may be counts if it is about what is
// under way, and does not make them smaller than any network does (RFC 5927 section 7).
func TestForgedPacketTooBig(t *testing.T) {
	largest := func(p *peer, conn io.Writer) (most int) {
		if _, err := conn.Write(make([]byte, 5000)); err != nil {
			t.Fatal(err)
		}
		for left := 5000; left > 0; {
			s := p.receive(segment.ACK)
			if n := len(s.Payload); s.Seq == p.ack {
				most = max(most, n)
				left -= n
				p.ack += s.Len()
				p.send(segment.ACK, "")
			}
		}
		return most
	}
	b := benchOn(t, tuntest.New(1500))
	p := b.peer(4000, 1000, segment.Options{HasMSS: true, MSS: 1460})
	p.connect()
	p.send(segment.ACK|segment.PSH, "x")
	conn := b.accept()
	for i, test := range []struct {
		seq  uint32
		mtu  uint16
		want int
	}{{5000, 600, 1460}, {1<<31 + 7, 0, 1460}, {0, 1000, 960}, {0, 0, 512}, {0, 68, 512}} {
		p.icmp(3, 4, p.ack+test.seq, test.mtu)
		b.peer(5000+uint16(i), 1, segment.Options{}).connect() // once that is answered, the error is handled
		if got := largest(p, conn); got != test.want {
			t.Errorf("after an MTU of %d for %d beyond what was acknowledged, segments have %d bytes, want %d", test.mtu, test.seq, got, test.want)
		}
	}
}

// What a client does right behind its final ACK, or with it, does not keep netstack
// from taking the connection over: its place in the accept queue would be lost for
// as long as an adoption may take.
func TestAdoptionUnderAttack(t *testing.T) {
	for name, attack := range map[string]func(p *peer){
		"ICMP error": func(p *peer) {
			p.send(segment.ACK, "")
			for range 200 { // one of them while netstack has not seen the ACK
				p.icmp(3, 3, p.ack, 0)
			}
		},
		"SYN-ACK behind it": func(p *peer) {
			p.send(segment.ACK, "")
			p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq + 7, Ack: p.ack, Flags: segment.SYN | segment.ACK})
		},
		"RST in the window behind it": func(p *peer) {
			p.send(segment.ACK, "")
			p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq + 7, Flags: segment.RST})
		},
		"data before a RST": func(p *peer) {
			p.send(segment.ACK|segment.PSH, "hello")
			p.inject(segment.Segment{Tuple: p.tuple, Seq: p.seq + 7, Flags: segment.RST})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBenchOf(t, tuntest.New(1500), profiles.Linux, linuxSettings)
			for i := range uint16(50) {
				p := b.peer(4000+i, 1000, allOptions)
				p.connect()
				attack(p)
				b.accept()
			}
			if n := b.stack.Counters()[stack.AdoptionsFailed]; n != 0 {
				t.Errorf("%d adoptions failed", n)
			}
		})
	}
}
