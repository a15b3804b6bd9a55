package events_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tcplab/internal/events"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// event is one of client number n.
func event(kind handshake.Kind, n int) listener.Event {
	return listener.Event{
		Time: time.Date(2026, 5, 4, 12, 0, 1, 123456000, time.UTC),
		Event: handshake.Event{
			Kind:    kind,
			Profile: profiles.BSD,
			Tuple: segment.NewTuple(
				netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(n)),
				netip.MustParseAddrPort("192.0.2.2:80")),
		},
	}
}

// next takes the next event and returns its client's number and what was lost.
func next(t *testing.T, s *events.Subscription) (n int, lost uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return int(e.Tuple.ClientPort), e.Lost
}

// The last events are there for whoever comes later, and none is missing behind
// them.
func TestReplay(t *testing.T) {
	var hub events.Hub
	for n := range events.Kept + 10 {
		hub.Publish(event(handshake.SYNAdmitted, n))
	}
	all, few := hub.Replay(2*events.Kept, 0), hub.Replay(3, 0)
	none := hub.Replay(10, events.OneKind(handshake.Expired))
	hub.Publish(event(handshake.Promoted, events.Kept+10))
	hub.Close()
	for want := 10; want <= events.Kept+10; want++ {
		if got, lost := next(t, all); got != want || lost != 0 {
			t.Fatalf("event %d with %d lost, want %d with none", got, lost, want)
		}
	}
	if got, lost := next(t, few); got != events.Kept+8 || lost != 1 {
		t.Errorf("with room for 3: event %d with %d lost, want %d with 1", got, lost, events.Kept+8)
	}
	for _, s := range []*events.Subscription{all, none} {
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the last event: %v, want io.EOF", err)
		}
	}
	late := hub.Replay(2*events.Kept, 0)
	if n := late.Waiting(); n != events.Kept {
		t.Errorf("%d events after the end, want %d", n, events.Kept)
	}
}

func TestEachSubscriptionGetsEverything(t *testing.T) {
	var hub events.Hub
	a, b := hub.Subscribe(10, 0), hub.Subscribe(10, 0)
	for n := range 10 {
		hub.Publish(event(handshake.SYNAdmitted, n))
	}
	for _, s := range []*events.Subscription{a, b} {
		for want := range 10 {
			if got, lost := next(t, s); got != want || lost != 0 {
				t.Fatalf("event %d with %d lost, want %d with none", got, lost, want)
			}
		}
		if left := s.Waiting(); left != 0 {
			t.Errorf("%d events left, want none", left)
		}
	}
}

func TestSlowReaderLosesTheOldestAndIsTold(t *testing.T) {
	var hub events.Hub
	slow := hub.Subscribe(3, 0)
	for n := range 10 {
		hub.Publish(event(handshake.SYNDropped, n))
	}
	for i, want := range []struct {
		n    int
		lost uint64
	}{{7, 7}, {8, 0}, {9, 0}} {
		if n, lost := next(t, slow); n != want.n || lost != want.lost {
			t.Errorf("event %d: number %d, %d lost; want number %d, %d lost", i, n, lost, want.n, want.lost)
		}
	}
	hub.Publish(event(handshake.SYNDropped, 10))
	if n, lost := next(t, slow); n != 10 || lost != 0 {
		t.Errorf("after catching up: number %d, %d lost; want number 10, none lost", n, lost)
	}
}

func TestEveryEventIsDeliveredOrCounted(t *testing.T) {
	const publishers, each = 4, 2000
	var hub events.Hub
	s := hub.Subscribe(16, 0)
	var publishing sync.WaitGroup
	for range publishers {
		publishing.Go(func() {
			for n := range each {
				hub.Publish(event(handshake.Accepted, n))
			}
		})
	}
	go func() {
		publishing.Wait()
		hub.Close()
	}()
	seen := uint64(0)
	for {
		e, err := s.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen += 1 + e.Lost
	}
	if seen != publishers*each {
		t.Errorf("%d events delivered or counted as lost, want %d", seen, publishers*each)
	}
}

func TestKindsThatNobodyWantsPushNothingOut(t *testing.T) {
	var hub events.Hub
	kinds, err := events.ParseKinds("expired, accepted")
	if err != nil {
		t.Fatal(err)
	}
	s := hub.Subscribe(2, kinds)
	hub.Publish(event(handshake.Expired, 1))
	for n := range 100 {
		hub.Publish(event(handshake.SYNDropped, n))
	}
	hub.Publish(event(handshake.Accepted, 2))
	for want := 1; want <= 2; want++ {
		if n, lost := next(t, s); n != want || lost != 0 {
			t.Errorf("number %d, %d lost; want number %d, none lost", n, lost, want)
		}
	}
}

func TestEnds(t *testing.T) {
	for name, end := range map[string]func(*events.Hub, *events.Subscription){
		"of the hub":          func(h *events.Hub, _ *events.Subscription) { h.Close() },
		"of the subscription": func(_ *events.Hub, s *events.Subscription) { s.Close() },
		"of both":             func(h *events.Hub, s *events.Subscription) { h.Close(); s.Close(); h.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			var hub events.Hub
			s := hub.Subscribe(10, 0)
			hub.Publish(event(handshake.Promoted, 1))
			end(&hub, s)
			hub.Publish(event(handshake.Promoted, 2))
			if n, _ := next(t, s); n != 1 {
				t.Errorf("number %d, want what was published before the end", n)
			}
			for range 2 {
				if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
					t.Errorf("error %v, want io.EOF", err)
				}
			}
		})
	}
}

func TestEndWakesAllReaders(t *testing.T) {
	var hub events.Hub
	s := hub.Subscribe(1, 0)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			if _, err := s.Next(context.Background()); !errors.Is(err, io.EOF) {
				t.Errorf("error %v, want io.EOF", err)
			}
		})
	}
	hub.Close()
	readers.Wait()
}

func TestSubscribingToAClosedHub(t *testing.T) {
	var hub events.Hub
	hub.Close()
	if _, err := hub.Subscribe(1, 0).Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want io.EOF", err)
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	var hub events.Hub
	s := hub.Subscribe(1, 0)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestPublishingWithoutSubscribersAllocatesNothing(t *testing.T) {
	var hub events.Hub
	e := event(handshake.SYNDropped, 1)
	if n := testing.AllocsPerRun(100, func() { hub.Publish(e) }); n > 1 { // one for the address of the copy
		t.Errorf("%v allocations an event, want at most 1", n)
	}
}
