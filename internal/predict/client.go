package predict

import (
	"net/netip"
	"time"

	"tcplab/listener/segment"
)

// synTimes are when a Linux client sends its SYN, from its connect on: four times
// a second apart and then with waits that double (since Linux 6.5,
// tcp_syn_linear_timeouts = 4, tcp_syn_retries = 6). It gives up one doubling
// after the last.
var synTimes = []time.Duration{
	0, 1 * time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second,
	5 * time.Second, 7 * time.Second, 11 * time.Second, 19 * time.Second, 35 * time.Second, 67 * time.Second,
}

const synGivesUp = 131 * time.Second

// View is what a client believes of its connection.
type View string

// What clients believe.
const (
	SYNSent     View = "SYN-SENT"
	Established View = "ESTABLISHED"
	TimedOut    View = "ETIMEDOUT"
	WasReset    View = "ECONNRESET"
)

// client is a TCP client as far as a listener sees it: it sends its SYN until it
// is answered, completes the handshake and then waits.
type client struct {
	tuple   segment.Tuple
	arrives time.Duration
	iss     uint32
	syns    int // sent so far
	view    View
	since   time.Duration // of the view
}

var server = netip.MustParseAddrPort("192.0.2.2:80")

func newClient(i int, arrives time.Duration) *client {
	addr := netip.AddrFrom4([4]byte{198, 51, byte(100 + i>>16), 1})
	return &client{
		tuple:   segment.NewTuple(netip.AddrPortFrom(addr, uint16(i)+1), server),
		arrives: arrives,
		iss:     uint32(i) * 64000,
		view:    SYNSent,
		since:   arrives,
	}
}

// next is when the client does something by itself; false if never again.
func (c *client) next() (time.Duration, bool) {
	switch {
	case c.view != SYNSent:
		return 0, false
	case c.syns < len(synTimes):
		return c.arrives + synTimes[c.syns], true
	default:
		return c.arrives + synGivesUp, true
	}
}

// tick sends the next SYN or gives up.
func (c *client) tick(now time.Duration) (segment.Segment, bool) {
	if c.syns == len(synTimes) {
		c.view, c.since = TimedOut, now
		return segment.Segment{}, false
	}
	c.syns++
	return segment.Segment{
		Tuple: c.tuple, Seq: c.iss, Flags: segment.SYN, Window: 64240,
		Options: segment.Options{
			MSS: 1460, HasMSS: true, SACKPermitted: true, HasTimestamps: true, TSVal: uint32(now/time.Millisecond) + 1,
			HasWindowScale: true, WindowScale: 7,
		},
	}, true
}

// receive takes a segment of the server's and may answer it.
func (c *client) receive(now time.Duration, s *segment.Segment) (segment.Segment, bool) {
	switch {
	case s.Flags.Has(segment.RST):
		if c.view == SYNSent || c.view == Established {
			c.view, c.since = WasReset, now
		}
		return segment.Segment{}, false
	case c.view == SYNSent && s.Flags.Has(segment.SYN|segment.ACK):
		c.view, c.since = Established, now
	case c.view != Established:
		return segment.Segment{}, false
	}
	return segment.Segment{
		Tuple: c.tuple, Seq: c.iss + 1, Ack: s.Seq + 1, Flags: segment.ACK, Window: 502,
		Options: segment.Options{HasTimestamps: true, TSVal: uint32(now/time.Millisecond) + 1, TSEcr: s.Options.TSVal},
	}, true
}
