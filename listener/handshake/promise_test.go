package handshake_test

import (
	"fmt"
	"testing"

	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// What a SYN-ACK offers, and what the TCP behind is told the client offered, is
// what both the client's SYN and the promise have: in all 128 combinations.
func TestOffersAreWhatBothSidesHave(t *testing.T) {
	for offered := range 16 {
		for promised := range 8 {
			t.Run(fmt.Sprintf("%04b of %03b", offered, promised), func(t *testing.T) {
				syn := segment.Options{
					HasWindowScale: offered&1 != 0, SACKPermitted: offered&2 != 0, HasTimestamps: offered&4 != 0, HasMSS: offered&8 != 0,
				}
				promise := segment.Promise{
					MSS: 1300, Window: 32000,
					HasWindowScale: promised&1 != 0, SACKPermitted: promised&2 != 0, Timestamps: promised&4 != 0,
				}
				agreed := segment.Options{HasMSS: true}
				if syn.HasMSS {
					syn.MSS = 1400
				}
				if syn.HasWindowScale {
					syn.WindowScale = 9
				}
				if syn.HasTimestamps {
					syn.TSVal = 77
				}
				if promise.HasWindowScale {
					promise.WindowScale = 5
				}
				both := offered & promised
				agreed.HasWindowScale, agreed.SACKPermitted, agreed.HasTimestamps = both&1 != 0, both&2 != 0, both&4 != 0
				checkOffer(t, syn, promise, agreed)
			})
		}
	}
}

func checkOffer(t *testing.T, syn segment.Options, promise segment.Promise, agreed segment.Options) {
	t.Helper()
	m := handshake.New(handshake.Config{
		Profile: profiles.BSD, Settings: settings(8), Promise4: promise, Key: key, Subnets: subnets,
	})
	var out handshake.Output
	tuple := tupleOf(clients[0])
	m.Segment(0, received(t, segment.Segment{Tuple: tuple, Flags: segment.SYN, Options: syn}), &out)
	answer := received(t, out.Send[0])

	want := agreed
	if want.MSS = promise.MSS; want.HasWindowScale {
		want.WindowScale = promise.WindowScale
	}
	if want.HasTimestamps {
		want.TSVal, want.TSEcr = answer.Options.TSVal, syn.TSVal
	}
	if answer.Options != want || answer.Window != promise.Window {
		t.Errorf("SYN-ACK win %d%v, want win %d%v", answer.Window, answer.Options, promise.Window, want)
	}

	final := segment.Segment{Tuple: tuple, Flags: segment.ACK, Seq: 1, Ack: answer.Seq + 1}
	if final.Options.HasTimestamps = agreed.HasTimestamps; agreed.HasTimestamps {
		final.Options.TSVal = 88
	}
	out.Reset()
	m.Segment(0, received(t, final), &out)
	if out.Adopt == nil {
		t.Fatalf("the final ACK completed nothing: %v", out.Events)
	}
	want = agreed
	if want.MSS = 536; syn.HasMSS {
		want.MSS = syn.MSS
	}
	if want.HasWindowScale {
		want.WindowScale = syn.WindowScale
	}
	want.TSVal = final.Options.TSVal
	h := m.Handshake(0, out.Adopt)
	if h.SYN.Options != want || h.SYN.Seq != 0 || h.SYN.Flags != segment.SYN || h.SYN.Tuple != tuple || h.ISS != answer.Seq {
		t.Errorf("handed over %v with%v, iss %d; want%v", &h.SYN, h.SYN.Options, h.ISS, want)
	}
	if agreed.HasTimestamps && h.TSVal != answer.Options.TSVal {
		t.Errorf("handed over TSval %d, the SYN-ACK had %d", h.TSVal, answer.Options.TSVal)
	}
}
