package metrics

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"tcplab/internal/events"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// Each connection is measured once in each queue; what was in none is not.
func TestObserve(t *testing.T) {
	w := newWaits(nil)
	promote := backlog.Decision{Verdict: backlog.Promote}
	for _, e := range []struct {
		kind     handshake.Kind
		decision backlog.Decision
		waited   time.Duration
		lost     uint64
	}{
		{handshake.Promoted, promote, time.Second, 0},
		{handshake.Promoted, promote, 0, 0}, // a SYN cookie came back
		{handshake.Parked, backlog.Decision{Verdict: backlog.Park}, 2 * time.Second, 3},
		{handshake.Promoted, backlog.Decision{}, 60 * time.Second, 0}, // the parked one has room
		{handshake.Accepted, backlog.Decision{}, 0, 4},
	} {
		event := events.Event{Lost: e.lost, Event: listener.Event{Event: handshake.Event{Kind: e.kind, Decision: e.decision, Waited: e.waited}}}
		event.Tuple.ServerPort = 80
		w.observe(&event)
	}
	if lost := testutil.ToFloat64(w.lost); lost != 7 {
		t.Errorf("%v events are lost, want 7", lost)
	}
	for queue, want := range map[string]struct {
		count uint64
		sum   float64
	}{incomplete: {2, 3}, completed: {1, 0}} {
		var m dto.Metric
		if err := w.seconds.WithLabelValues("80", queue).(prometheus.Histogram).Write(&m); err != nil {
			t.Fatal(err)
		}
		if h := m.GetHistogram(); h.GetSampleCount() != want.count || h.GetSampleSum() != want.sum {
			t.Errorf("%s: %d times, %v s together, want %v", queue, h.GetSampleCount(), h.GetSampleSum(), want)
		}
	}
}
