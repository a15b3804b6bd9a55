package control

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"

	"tcplab/internal/capture"
	"tcplab/internal/events"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

var syn = segment.AppendRequest(nil, &segment.Segment{
	Tuple: segment.NewTuple(netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:80")),
	Flags: segment.SYN, Payload: make([]byte, 100),
})

func (i *instance) packets(n int) {
	for range n {
		i.trace.In(syn, offload.Header{})
		i.trace.Handled()
	}
}

// Packets come as they are there, and the end is that of the instance.
func TestCaptureIsStreamed(t *testing.T) {
	server, client, instance := serve(t)
	stream, err := client.Capture(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	instance.asked(t, "trace 100")
	instance.asked(t, "status 0")
	instance.packets(3)
	var out bytes.Buffer
	totals, err := capture.Receive(t.Context(), capture.NewStream(&out, nil), stream, 0, func(seen capture.Totals) {
		if seen.Packets == 3 {
			instance.trace.Close()
		}
	})
	if err != nil || totals != (capture.Totals{Packets: 3}) {
		t.Errorf("%v, %v", totals, err)
	}
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
}

// A client that does not read loses packets, is told how many, and holds up
// nobody.
func TestSlowCaptureLoses(t *testing.T) {
	server, client, instance := serve(t)
	stream, err := client.Capture(t.Context(), capture.MinSnaplen)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	const many = capture.Ring + 20000
	instance.packets(many)
	instance.trace.Close()
	totals, err := capture.Receive(t.Context(), capture.NewStream(io.Discard, nil), stream, 0, nil)
	if err != nil || totals.Lost == 0 || totals.Packets+totals.Lost != many {
		t.Errorf("%v, %v: want %d together", totals, err, many)
	}
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
}

// The instance does not keep what a client has asked for that is gone.
func TestCaptureEndsWithTheClient(t *testing.T) {
	server, client, _ := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.Capture(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	totals, err := capture.Receive(ctx, capture.NewStream(io.Discard, func() error { cancel(); return nil }), stream, 0, nil)
	if err != nil || totals.Packets != 0 {
		t.Errorf("%v, %v", totals, err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
}

// The events that the instance has kept come first, or alone.
func TestRecentEvents(t *testing.T) {
	_, client, instance := serve(t)
	instance.publish(handshake.SYNDropped)
	instance.publish(handshake.Promoted)
	var kinds []string
	keep := func(r *events.Record) error {
		kinds = append(kinds, r.Kind)
		if len(kinds) == 2 {
			instance.publish(handshake.Accepted)
		}
		if len(kinds) == 5 {
			instance.hub.Close()
		}
		return nil
	}
	if err := client.Recent(t.Context(), "", false, keep); err != nil || len(kinds) != 2 {
		t.Errorf("%v, %v", kinds, err)
	}
	if err := client.Recent(t.Context(), "", true, keep); err != nil || len(kinds) != 5 || kinds[4] != "accepted" {
		t.Errorf("%v, %v", kinds, err)
	}
}
