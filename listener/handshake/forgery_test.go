package handshake_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Whoever does not see the SYN-ACKs has to guess a cookie: of 2^32 numbers those
// of two minutes and four MSS values are right for a connection, one in 5*10^8.
// The guesses are made as an attacker would who knows the layout of a cookie and
// has some of their own: numbers at random, numbers near a cookie of theirs, and a
// cookie of theirs for another port or address of theirs.
func TestForgedCookies(t *testing.T) {
	a := newCookieMachine(t)
	a.now = time.Hour
	random := rand.New(rand.NewPCG(20, 26))
	own := segment.Segment{Tuple: tupleOf(clients[0]), Seq: 1000, Flags: segment.SYN, Window: 1000, Options: segment.Options{HasMSS: true, MSS: 1460}}
	synACK := cookieFor(t, a, own)
	right := finalACK(synACK)
	if !a.m.HoldsCookie(a.now, &right) {
		t.Fatal("a cookie that was not forged is none")
	}
	var (
		out    handshake.Output
		forged = right
		taken  []segment.Segment
	)
	for i := range forgeries {
		forged.Tuple, forged.Seq, forged.Ack = right.Tuple, right.Seq, right.Ack
		switch i % 4 {
		case 0: // anything
			forged.Ack = random.Uint32()
		case 1: // of the same minute, for another connection
			forged.Tuple.ClientPort = uint16(1 + random.Uint32N(65535))
			forged.Ack = right.Ack&^0xffffff | random.Uint32()&0xffffff
		case 2: // for another address
			for j := 12; j < 16; j++ {
				forged.Tuple.ClientAddr[j] = byte(1 + random.Uint32N(100))
			}
			forged.Ack += random.Uint32N(16)
		case 3: // for an initial sequence number that the client has chosen later
			forged.Seq = random.Uint32()
		}
		if off := (forged.Ack - right.Ack) - (forged.Seq - right.Seq); forged.Tuple == right.Tuple && off+3 < 7 {
			continue // this is the cookie, perhaps of another MSS
		}
		a.m.Segment(a.now, &forged, &out)
		if out.Adopt != nil {
			taken = append(taken, forged)
		}
		out.Reset()
	}
	// With this many guesses, 0.02 hits are to be expected.
	if len(taken) > 0 {
		t.Errorf("%d of %d forged cookies were taken for ours: %v", len(taken), forgeries, &taken[0])
	}
	if failed := a.m.Counters()[handshake.SyncookiesFailed]; failed < forgeries*99/100 {
		t.Errorf("%d of %d forged cookies were looked at", failed, forgeries)
	}
}
