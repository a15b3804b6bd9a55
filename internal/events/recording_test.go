package events_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/events"
	"tcplab/listener/handshake"
)

// patience is what recordings have in these tests.
const patience = time.Second

// ports are the clients' ports of the events that s has until it ends, and how
// many were lost.
func ports(t *testing.T, s *events.Subscription, each func()) (list []uint16, lost uint64) {
	for {
		e, err := s.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return list, lost
		}
		if err != nil {
			t.Fatal(err)
		}
		list, lost = append(list, e.Tuple.Client().Port()), lost+e.Lost
		each()
	}
}

// A recording misses nothing, however slow its reader is, as long as it takes an
// event now and then.
func TestRecordingMissesNothing(t *testing.T) {
	for _, size := range []int{1, 2, 8, 100} {
		synctest.Test(t, func(t *testing.T) {
			var hub events.Hub
			s := hub.Record(size, patience)
			const publishers, many = 3, 100 // several listeners, each under its lock
			done := make(chan struct{}, publishers)
			for range publishers {
				go func() {
					for port := range many {
						hub.Publish(event(handshake.SYNDropped, port))
					}
					done <- struct{}{}
				}()
			}
			go func() {
				for range publishers {
					<-done
				}
				hub.Close()
			}()
			list, lost := ports(t, s, func() { time.Sleep(patience / 20) })
			if len(list) != publishers*many || lost != 0 {
				t.Errorf("room for %d: %d events, %d lost, want %d", size, len(list), lost, publishers*many)
			}
		})
	}
}

// A reader that hangs holds publishers up once, for patience, and then loses the
// oldest events, each of which is counted. When it reads again it is waited for
// again.
func TestRecordingThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hub events.Hub
		const size, many = 8, 100
		s := hub.Record(size, patience)
		start := time.Now()
		for port := range many {
			hub.Publish(event(handshake.SYNDropped, port))
		}
		if took := time.Since(start); took != patience {
			t.Errorf("%d events took %v, want %v", many, took, patience)
		}
		for n := range size { // it goes on
			e, err := s.Next(t.Context())
			if err != nil || e.Tuple.Client().Port() != uint16(many-size+n) || n == 0 && e.Lost != many-size || n > 0 && e.Lost != 0 {
				t.Errorf("event %d is of port %v, %d lost, %v", n, e.Tuple.Client(), e.Lost, err)
			}
		}
		go func() {
			for port := range many {
				hub.Publish(event(handshake.SYNDropped, port))
			}
			hub.Close()
		}()
		if list, lost := ports(t, s, func() { time.Sleep(patience / 2) }); len(list) != many || lost != 0 {
			t.Errorf("afterwards %d events, %d lost, want %d", len(list), lost, many)
		}
	})
}

// A publisher does not wait for a recording that ends.
func TestRecordingEndsWhileWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hub events.Hub
		s := hub.Record(1, time.Hour)
		start := time.Now()
		time.AfterFunc(time.Second, s.Close)
		hub.Publish(event(handshake.SYNDropped, 1))
		hub.Publish(event(handshake.SYNDropped, 2))
		hub.Publish(event(handshake.SYNDropped, 3))
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
