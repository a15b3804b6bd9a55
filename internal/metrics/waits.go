package metrics

import (
	"net"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"tcplab/internal/events"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// waitRing is how many events may wait to be measured.
const waitRing = 1 << 14

// waitKinds are the events that end the time in a queue.
const waitKinds = 1<<handshake.Promoted | 1<<handshake.Parked | 1<<handshake.Accepted

// buckets go from a handshake on one machine, past round trips, to the times at
// which SYNs and SYN-ACKs are sent again, 1, 3, 7, 15 and 31 s after the first,
// and the 75 s of Berkeley.
var buckets = []float64{
	0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3.5, 7.5, 15.5, 31.5, 75,
}

// waits measures the time in each queue.
type waits struct {
	seconds *prometheus.HistogramVec
	lost    prometheus.Counter
}

func newWaits(listeners []*listener.Listener) *waits {
	w := &waits{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tcplab_listener_queue_wait_seconds",
			Help: "Time in a queue: incomplete from SYN to final ACK, completed from there to accept. " +
				"Without entries that were reset or expired, and without the time parked.",
			Buckets: buckets,
		}, []string{"port", "queue"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tcplab_events_lost_total",
			Help: "Events that tcplab_listener_queue_wait_seconds has missed, as they came too fast.",
		}),
	}
	for _, l := range listeners { // so that they are there from the start
		w.seconds.WithLabelValues(portOf(l), incomplete)
		w.seconds.WithLabelValues(portOf(l), completed)
	}
	return w
}

// Values of the label queue.
const (
	incomplete = "incomplete"
	completed  = "completed"
	together   = "together"
)

func (w *waits) observe(e *events.Event) {
	w.lost.Add(float64(e.Lost))
	queue := incomplete
	switch {
	case e.Kind == handshake.Accepted:
		queue = completed // whatever the time: a waiting accept takes it at once
	case e.Waited == 0:
		return // a SYN cookie came back: it was in no queue
	case e.Kind == handshake.Promoted && e.Decision.Verdict != backlog.Promote:
		return // it was parked at its final ACK, and has room now
	}
	w.seconds.WithLabelValues(strconv.Itoa(int(e.Tuple.ServerPort)), queue).Observe(e.Waited.Seconds())
}

// portOf is the port that l listens on, as a label.
func portOf(l *listener.Listener) string {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return strconv.Itoa(tcp.Port)
	}
	return ""
}
