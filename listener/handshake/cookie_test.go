package handshake_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// newCookieMachine stores nothing: every SYN is answered with a cookie
// (net.ipv4.tcp_syncookies = 2).
func newCookieMachine(t rapid.TB) *audit {
	s := settings(8)
	s.Syncookies = 2
	return newAudit(t, newMachine(profiles.Linux, s))
}

// cookieFor sends a SYN and returns the SYN-ACK with the cookie.
func cookieFor(t rapid.TB, a *audit, syn segment.Segment) segment.Segment {
	t.Helper()
	a.segment(received(t, syn))
	if a.count(handshake.CookieSent) != 1 || len(a.out.Send) != 1 || a.m.Owns(syn.Tuple) {
		t.Fatalf("%v: %v, %d segments sent", &syn, a.kinds(), len(a.out.Send))
	}
	return a.out.Send[0]
}

// finalACK is the client's answer to a SYN-ACK.
func finalACK(synAck segment.Segment) segment.Segment {
	ack := segment.Segment{Tuple: synAck.Tuple, Flags: segment.ACK, Seq: synAck.Ack, Ack: synAck.Seq + 1, Window: 500}
	if ack.Options.HasTimestamps = synAck.Options.HasTimestamps; ack.Options.HasTimestamps {
		ack.Options.TSVal, ack.Options.TSEcr = 1000, synAck.Options.TSVal
	}
	return ack
}

// RFC 4987 section 3.6: all that is known of a connection comes back with its
// cookie, within two minutes; the MSS is rounded down, and scale and SACK travel
// in the timestamp only.
func TestCookieBringsTheConnectionBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := newCookieMachine(t)
		a.now = time.Duration(rapid.Int64Range(1, int64(100*24*time.Hour)).Draw(t, "now"))
		syn := segment.Segment{
			Tuple: tupleOf(rapid.SampledFrom(clients).Draw(t, "client")), Flags: segment.SYN,
			Seq: rapid.Uint32().Draw(t, "seq"), Window: 64240, Options: drawOptions(t, 7),
		}
		synAck := cookieFor(t, a, syn)
		a.now += time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "later"))
		ack := finalACK(synAck)
		a.segment(received(t, ack))
		if a.out.Adopt == nil {
			t.Fatalf("the cookie of %v was not recognised: %v", &syn, a.kinds())
		}
		h := a.m.Handshake(a.now, a.out.Adopt)
		o, came := h.SYN.Options, syn.Options
		if h.SYN.Seq != syn.Seq || h.ISS != synAck.Seq || h.SYN.Tuple != syn.Tuple {
			t.Fatalf("handed over %v, iss %d", &h.SYN, h.ISS)
		}
		least, mss := uint16(1220), came.MSS
		if syn.Tuple.Is4() {
			least = 536
		}
		if mss == 0 {
			mss = least
		}
		if o.MSS > max(mss, least) || o.MSS < least {
			t.Fatalf("MSS %d came back as %d", came.MSS, o.MSS)
		}
		kept := came.HasTimestamps
		if o.HasTimestamps != kept || o.SACKPermitted != (kept && came.SACKPermitted) || o.HasWindowScale != (kept && came.HasWindowScale) ||
			o.HasWindowScale && o.WindowScale != came.WindowScale {
			t.Fatalf("options%v came back as%v", came, o)
		}
		if sent := synAck.Options; sent.SACKPermitted != o.SACKPermitted || sent.HasWindowScale != o.HasWindowScale || sent.HasTimestamps != o.HasTimestamps {
			t.Fatalf("the SYN-ACK offered%v, handed over was%v", sent, o)
		}
		if o.HasTimestamps && segment.Before(h.TSVal, synAck.Options.TSVal) {
			t.Fatalf("our timestamps go back from %d to %d", synAck.Options.TSVal, h.TSVal)
		}
	})
}

// A cookie that was not sent, is too old, or belongs to another connection is
// refused with RST, as any ACK in LISTEN is.
func TestCookiesThatAreNotOurs(t *testing.T) {
	syn := segment.Segment{Tuple: tupleOf(clients[0]), Flags: segment.SYN, Seq: 1000, Options: segment.Options{HasMSS: true, MSS: 1460}}
	for name, spoil := range map[string]func(*audit, *segment.Segment){
		"too old":              func(a *audit, _ *segment.Segment) { a.now += 2 * time.Minute },
		"much too old":         func(a *audit, _ *segment.Segment) { a.now += 256 * time.Minute },
		"another client":       func(_ *audit, s *segment.Segment) { s.Tuple = tupleOf(clients[1]) },
		"another number of us": func(_ *audit, s *segment.Segment) { s.Ack += 1 << 20 },
		"another number":       func(_ *audit, s *segment.Segment) { s.Seq += 1000 }, // by up to 3 it is another MSS
		"with a SYN":           func(_ *audit, s *segment.Segment) { s.Flags |= segment.SYN },
	} {
		t.Run(name, func(t *testing.T) {
			a := newCookieMachine(t)
			a.now = time.Hour
			ack := finalACK(cookieFor(t, a, syn))
			spoil(a, &ack)
			a.segment(received(t, ack))
			if a.out.Adopt != nil || a.sent(segment.RST) != 1 || a.out.Send[0].Seq != ack.Ack {
				t.Errorf("handed over %v, sent %v", a.out.Adopt, a.out.Send)
			}
		})
	}
}

// A cookie does not get around a full completed queue: the ACK is dropped
// without a RST, and the client sends it again with its data.
func TestCookieAtAFullCompletedQueue(t *testing.T) {
	s := settings(0)
	s.Syncookies = 2
	a := newAudit(t, newMachine(profiles.Linux, s))
	var acks []segment.Segment
	for i := range 2 {
		acks = append(acks, finalACK(cookieFor(t, a, segment.Segment{Tuple: tupleOf(clients[i]), Flags: segment.SYN})))
	}
	a.segment(received(t, acks[0]))
	a.segment(received(t, acks[1]))
	if a.count(handshake.ACKDropped) != 1 || len(a.out.Send) != 0 || a.out.Events[0].Decision.Reason != backlog.CompletedFull {
		t.Fatalf("%v, %d segments sent", a.kinds(), len(a.out.Send))
	}
	if !a.accept() {
		t.Fatal("nothing to accept")
	}
	if a.segment(received(t, acks[1])); a.count(handshake.Promoted) != 1 {
		t.Fatalf("after accept the ACK makes %v", a.kinds())
	}
}
