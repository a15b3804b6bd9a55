package handshake

import (
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/segment"
)

// Entry is a connection in one of the machine's queues.
type Entry = backlog.Entry[Connection]

// Connection is what the machine keeps of a connection from its SYN on. It is
// laid out to be small: there may be a million of them.
type Connection struct {
	Tuple segment.Tuple
	ISS   uint32 // our initial sequence number
	IRS   uint32 // the client's

	tsRecent   uint32 // TS.Recent of RFC 7323 section 4.3
	tsOffset   uint32 // what is added to the clock to make TSval
	window     uint16 // SEG.WND of the SYN
	mss        uint16 // the client's, the default where its SYN had none
	scale      uint8
	offered    offer
	stage      uint8         // the timer list that it is in
	deadline   time.Duration // when that timer fires
	prev, next *Entry        // in the timer list
	oowAck     time.Duration // when an out-of-window segment was last acknowledged
}

// Deadline is when the timer of a half-open connection fires.
func (c *Connection) Deadline() time.Duration { return c.deadline }

// offer says which options the client's SYN had and ours answers. Flags, to be
// small.
type offer uint8

const (
	offeredMSS offer = 1 << iota
	offeredScale
	offeredSACK
	offeredTimestamps
	// deferred is not about options: the bare final ACK has come, and accept is
	// deferred until data does (inet_request_sock.acked).
	deferred
)

func (o offer) has(what offer) bool { return o&what != 0 }

// MSS of a client whose SYN says nothing (RFC 9293 section 3.7.1, MUST-15;
// RFC 8200 section 5 for IPv6).
const (
	defaultMSS4 = 536
	defaultMSS6 = 1220
)

// fromSYN keeps what a SYN says, as far as promise goes along with it.
func fromSYN(s *segment.Segment, promise *segment.Promise) Connection {
	c := Connection{Tuple: s.Tuple, IRS: s.Seq, window: s.Window, mss: s.Options.MSS}
	if s.Options.HasMSS && s.Options.MSS > 0 { // an MSS of 0 says nothing (tcp_parse_options)
		c.offered |= offeredMSS
	} else if c.mss = defaultMSS6; s.Tuple.Is4() {
		c.mss = defaultMSS4
	}
	if s.Options.HasWindowScale && promise.HasWindowScale {
		c.offered |= offeredScale
		c.scale = s.Options.WindowScale
	}
	if s.Options.SACKPermitted && promise.SACKPermitted {
		c.offered |= offeredSACK
	}
	if s.Options.HasTimestamps && promise.Timestamps {
		c.offered |= offeredTimestamps
		c.tsRecent = s.Options.TSVal
	}
	return c
}

// syn is the client's SYN again, for the TCP that adopts the connection.
func (c *Connection) syn() segment.Segment {
	return segment.Segment{
		Tuple:  c.Tuple,
		Seq:    c.IRS,
		Flags:  segment.SYN,
		Window: c.window,
		Options: segment.Options{
			MSS:            c.mss,
			HasMSS:         true,
			WindowScale:    c.scale,
			HasWindowScale: c.offered.has(offeredScale),
			SACKPermitted:  c.offered.has(offeredSACK),
			HasTimestamps:  c.offered.has(offeredTimestamps),
			TSVal:          c.tsRecent,
		},
	}
}
