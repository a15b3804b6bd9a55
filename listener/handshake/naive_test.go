package handshake_test

import (
	"slices"
	"time"

	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// naive is a second implementation of LISTEN and SYN-RECEIVED under the
// profiles sum and bsd, written from the published rules: RFC 9293 section
// 3.10.7, RFC 7323, RFC 5961, UNP sections 4.5 and 5.11, 4.4BSD's sonewconn. It
// keeps two slices and looks at everything each time.
type naive struct {
	bsd                   bool
	backlog               int
	times                 []time.Duration // of the SYN-ACKs after the first one, then of the expiry
	incomplete, completed []*naiveEntry
	sent                  []segment.Segment
	events                []happening
}

// naiveEntry is a connection of the model's.
type naiveEntry struct {
	tuple    segment.Tuple
	irs, iss uint32
	learned  bool // iss and clock were seen in a SYN-ACK
	clock    uint32
	syn      segment.Segment // as it came
	options  segment.Options // what both sides agreed on
	tsRecent uint32

	stage    int
	began    time.Duration // the stage
	answered time.Duration // an out-of-window segment, negative if never
}

// happening is an event without its details.
type happening struct {
	kind  handshake.Kind
	tuple segment.Tuple
}

// nobody lists addresses that the tests use and no client can have, or that
// nobody connects to.
var nobody = map[string]bool{
	"224.0.0.5": true, "255.255.255.255": true, "192.0.2.255": true, "192.0.2.2": true,
	"127.0.0.1": true, "0.0.0.0": true, "ff02::1": true, "2001:db8::2": true,
}

func (n *naive) find(tuple segment.Tuple) *naiveEntry {
	for _, e := range n.incomplete {
		if e.tuple == tuple {
			return e
		}
	}
	return nil
}

func (n *naive) say(kind handshake.Kind, e *naiveEntry) {
	n.events = append(n.events, happening{kind, e.tuple})
}

func (n *naive) drop(e *naiveEntry) {
	same := func(other *naiveEntry) bool { return other == e }
	n.incomplete = slices.DeleteFunc(n.incomplete, same)
	n.completed = slices.DeleteFunc(n.completed, same)
}

// full is the published rule at a SYN.
func (n *naive) full() bool {
	q0len, qlen := len(n.incomplete), len(n.completed)
	if n.bsd {
		return qlen+q0len > 3*n.backlog/2 // sonewconn
	}
	return qlen+q0len >= n.backlog
}

// segment handles a segment that arrives.
func (n *naive) segment(now time.Duration, s *segment.Segment) {
	syn, ack := s.Flags.Has(segment.SYN), s.Flags.Has(segment.ACK)
	rst, fin := s.Flags.Has(segment.RST), s.Flags.Has(segment.FIN)
	if e := n.find(s.Tuple); e != nil {
		n.synReceived(now, e, s)
		return
	}
	// LISTEN
	switch {
	case rst, nobody[s.Tuple.Client().Addr().String()], nobody[s.Tuple.Server().Addr().String()] && s.Tuple.Server() != server4 && s.Tuple.Server() != server6:
	case ack:
		n.reset(s.Tuple, s.Ack)
	case syn && !fin:
		e := &naiveEntry{tuple: s.Tuple, irs: s.Seq, syn: *s, began: now, answered: -1, tsRecent: s.Options.TSVal}
		if n.full() {
			n.say(handshake.SYNDropped, e)
			return
		}
		e.options = segment.Options{
			HasWindowScale: s.Options.HasWindowScale, SACKPermitted: s.Options.SACKPermitted, HasTimestamps: s.Options.HasTimestamps,
		}
		n.incomplete = append(n.incomplete, e)
		n.synAck(now, e)
		n.say(handshake.SYNAdmitted, e)
	}
}

// synReceived handles a segment of a half-open entry. RFC 9293 has the checks in
// the order sequence, RST, SYN, ACK; like Linux, the same SYN and a bad
// acknowledgment without RST come before.
func (n *naive) synReceived(now time.Duration, e *naiveEntry, s *segment.Segment) {
	syn, ack, rst := s.Flags.Has(segment.SYN), s.Flags.Has(segment.ACK), s.Flags.Has(segment.RST)
	both := e.options.HasTimestamps && s.Options.HasTimestamps
	old := both && !rst && int32(s.Options.TSVal-e.tsRecent) < 0 // RFC 7323 section 5.3, R1
	expected := e.irs + 1

	switch {
	case syn && !ack && !rst && s.Seq == e.irs && !old:
		n.synAck(now, e)
		n.say(handshake.SYNRepeated, e)

	case ack && !rst && s.Ack != e.iss+1: // SND.UNA < SEG.ACK =< SND.NXT has one solution
		n.reset(e.tuple, s.Ack)

	case old || !acceptable(s, expected, promiseTo(e.tuple).Window):
		if !rst {
			n.answer(now, e, s)
		}

	case rst && s.Seq == expected:
		n.drop(e)
		n.say(handshake.Reset, e)

	case rst: // RFC 5961 section 3.2
		n.answer(now, e, s)

	case syn && s.Seq != e.irs:
		if ack {
			n.reset(e.tuple, s.Ack)
		} else {
			n.sent = append(n.sent, segment.Segment{Tuple: e.tuple, Ack: s.Seq + s.Len(), Flags: segment.RST | segment.ACK})
		}
		n.drop(e)
		n.say(handshake.Reset, e)

	case !ack:

	case e.options.HasTimestamps && !s.Options.HasTimestamps: // RFC 7323 section 3.2

	default:
		if both && int32(s.Seq-expected) <= 0 { // RFC 7323 section 4.3
			e.tsRecent = s.Options.TSVal
		}
		n.drop(e)
		n.completed = append(n.completed, e)
		n.say(handshake.Promoted, e)
	}
}

// acceptable is the test of RFC 9293 section 3.4: the first or the last number
// of the segment lies in the window.
func acceptable(s *segment.Segment, expected uint32, window uint16) bool {
	inside := func(seq uint32) bool {
		distance := int64(int32(seq - expected))
		return 0 <= distance && distance < int64(window)
	}
	return inside(s.Seq) || s.Len() > 0 && inside(s.Seq+s.Len()-1)
}

// synAck answers an entry's SYN.
func (n *naive) synAck(now time.Duration, e *naiveEntry) {
	promise := promiseTo(e.tuple)
	options := e.options
	options.HasMSS, options.MSS = true, promise.MSS
	if options.HasWindowScale {
		options.WindowScale = promise.WindowScale
	}
	n.sent = append(n.sent, segment.Segment{
		Tuple: e.tuple, Seq: e.iss, Ack: e.irs + 1, Flags: segment.SYN | segment.ACK, Window: promise.Window,
		Options: n.stamped(now, e, options),
	})
}

// stamped fills in timestamps.
func (n *naive) stamped(now time.Duration, e *naiveEntry, o segment.Options) segment.Options {
	if o.HasTimestamps {
		o.TSVal, o.TSEcr = e.clock+uint32(now.Milliseconds()), e.tsRecent
	}
	return o
}

// handover is the SYN for the TCP behind: what was agreed on, the client's MSS or
// the default (RFC 9293 section 3.7.1), its scale, its latest timestamp.
func (e *naiveEntry) handover() *segment.Segment {
	o := e.options
	o.HasMSS, o.MSS = true, e.syn.Options.MSS
	if o.MSS == 0 {
		if o.MSS = 1220; e.tuple.Is4() {
			o.MSS = 536
		}
	}
	if o.HasWindowScale {
		o.WindowScale = e.syn.Options.WindowScale
	}
	if o.HasTimestamps {
		o.TSVal = e.tsRecent
	}
	return &segment.Segment{Tuple: e.tuple, Seq: e.irs, Flags: segment.SYN, Window: e.syn.Window, Options: o}
}

// answer acknowledges what is out of place, bare segments and SYNs not more
// often than every 500 ms.
func (n *naive) answer(now time.Duration, e *naiveEntry, s *segment.Segment) {
	if s.Flags.Has(segment.SYN) || s.Len() == 0 {
		if e.answered >= 0 && now-e.answered < 500*time.Millisecond {
			return
		}
		e.answered = now
	}
	window := promiseTo(e.tuple).Window
	if e.options.HasWindowScale {
		window >>= promiseTo(e.tuple).WindowScale
	}
	n.sent = append(n.sent, segment.Segment{
		Tuple: e.tuple, Seq: e.iss + 1, Ack: e.irs + 1, Flags: segment.ACK, Window: window,
		Options: n.stamped(now, e, segment.Options{HasTimestamps: e.options.HasTimestamps}),
	})
}

// reset refuses an acknowledgment.
func (n *naive) reset(tuple segment.Tuple, seq uint32) {
	n.sent = append(n.sent, segment.Segment{Tuple: tuple, Seq: seq, Flags: segment.RST})
}

// abort ends a connection from our side.
func (n *naive) abort(e *naiveEntry) {
	n.sent = append(n.sent, segment.Segment{Tuple: e.tuple, Seq: e.iss + 1, Ack: e.irs + 1, Flags: segment.RST | segment.ACK})
}

// deadline is when e's timer fires.
func (n *naive) deadline(e *naiveEntry) time.Duration {
	begin := time.Duration(0)
	if e.stage > 0 {
		begin = n.times[e.stage-1]
	}
	return e.began + n.times[e.stage] - begin
}

// tick fires the timers that are due.
func (n *naive) tick(now time.Duration) {
	for _, e := range slices.Clone(n.incomplete) {
		switch {
		case n.deadline(e) > now:
		case e.stage == len(n.times)-1:
			n.abort(e)
			n.drop(e)
			n.say(handshake.Expired, e)
		default:
			e.stage, e.began = e.stage+1, now
			n.synAck(now, e)
			n.say(handshake.Retransmitted, e)
		}
	}
}

// configure is a second listen(2). Entries keep their stage as far as there is
// one.
func (n *naive) configure(bsd bool, backlog int, times []time.Duration) {
	n.bsd, n.backlog, n.times = bsd, backlog, times
	for _, e := range n.incomplete {
		e.stage = min(e.stage, len(times)-1)
	}
}
