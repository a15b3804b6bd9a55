package endpoint_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

// lab is an endpoint on a device in memory, its host played segment by segment.
type lab struct {
	*testing.T
	*endpoint.Endpoint
	dev     *tuntest.Device
	events  *events.Subscription
	synacks map[int]segment.Segment // by client
	ctx     context.Context         // bounds every wait
}

// up brings an endpoint up with the defaults as change alters them.
func up(t *testing.T, change func(*endpoint.Config)) *lab {
	t.Helper()
	l := &lab{T: t, dev: tuntest.New(1500), synacks: make(map[int]segment.Segment)}
	cfg := endpoint.Defaults()
	cfg.Device, cfg.Links = l.dev, cfg.Links[:1]
	if change != nil {
		change(&cfg)
	}
	var err error
	if l.Endpoint, err = endpoint.Up(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	l.ctx, l.events = ctx, l.Subscribe(1000, 0)
	t.Cleanup(func() {
		cancel()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// client is a client's address, by its port.
func client(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(n))
}

// tuple is a connection of client n to a port of the endpoint's.
func tuple(n int, port uint16) segment.Tuple {
	return segment.NewTuple(client(n), netip.AddrPortFrom(netip.MustParseAddr("192.0.2.2"), port))
}

// syn sends the SYN of client n to a port.
func (l *lab) syn(n int, port uint16) {
	l.Helper()
	l.inject(&segment.Segment{Tuple: tuple(n, port), Seq: 1000, Flags: segment.SYN, Window: 65535,
		Options: segment.Options{HasMSS: true, MSS: 1460}})
}

// connect takes client n through the handshake, to the completed queue.
func (l *lab) connect(n int, port uint16) {
	l.Helper()
	l.syn(n, port)
	synack := l.sent(n, segment.SYN|segment.ACK)
	l.synacks[n] = synack
	l.inject(&segment.Segment{Tuple: tuple(n, port), Seq: 1001, Ack: synack.Seq + 1, Flags: segment.ACK, Window: 65535})
	l.await(handshake.Promoted)
}

// converse sends a byte and waits for its acknowledgment: the TCP behind the
// listener has the connection then.
func (l *lab) converse(n int, port uint16) {
	l.Helper()
	synack := l.synacks[n]
	l.inject(&segment.Segment{Tuple: tuple(n, port), Seq: 1001, Ack: synack.Seq + 1, Flags: segment.ACK | segment.PSH, Window: 65535, Payload: []byte("G")})
	for l.sent(n, segment.ACK).Ack != 1002 {
	}
}

func (l *lab) inject(s *segment.Segment) {
	l.Helper()
	if err := l.dev.Inject(segment.AppendRequest(nil, s)); err != nil {
		l.Fatal(err)
	}
}

// sent waits for a segment with these flags to client n.
func (l *lab) sent(n int, flags segment.Flags) segment.Segment {
	l.Helper()
	for {
		packet, err := l.dev.Sent(l.ctx)
		if err != nil {
			l.Fatalf("waiting for %v to client %d: %v", flags, n, err)
		}
		var s segment.Segment
		if segment.Parse(packet, &s) == nil && s.Tuple.Reverse().Client() == client(n) && s.Flags.Has(flags) {
			return s
		}
	}
}

// await waits for an event of this kind.
func (l *lab) await(kind handshake.Kind) events.Event {
	l.Helper()
	for {
		e, err := l.events.Next(l.ctx)
		if err != nil {
			l.Fatalf("waiting for %v: %v", kind, err)
		}
		if e.Kind == kind {
			return e
		}
	}
}
