package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"tcplab/internal/counters"
	"tcplab/listener"
	"tcplab/listener/backlog"
)

var (
	queueLength = prometheus.NewDesc("tcplab_listener_queue_length",
		"Entries in the incomplete and in the completed queue.", []string{"port", "queue"}, nil)
	queueCapacity = prometheus.NewDesc("tcplab_listener_queue_capacity",
		"Entries that the profile lets into a queue, or into both together; absent where there is no bound.", []string{"port", "queue"}, nil)
	backlogGiven = prometheus.NewDesc("tcplab_listener_backlog",
		"The backlog as given to listen(2).", []string{"port"}, nil)
	backlogEffective = prometheus.NewDesc("tcplab_listener_backlog_effective",
		"The backlog after the clamps of the profile: Send-Q of ss.", []string{"port"}, nil)
	somaxconn = prometheus.NewDesc("tcplab_listener_somaxconn",
		"What the backlog is clamped to: net.core.somaxconn.", []string{"port"}, nil)
	listenerInfo = prometheus.NewDesc("tcplab_listener_info",
		"1, with the profile and what it makes of the backlog.", []string{"port", "profile", "rule"}, nil)
	connections = prometheus.NewDesc("tcplab_connections",
		"Connections by their state, as ss names it, those that wait for accept included.", []string{"state"}, nil)
	counterDescs = describeCounters()
)

func describeCounters() []*prometheus.Desc {
	descs := make([]*prometheus.Desc, len(counters.All))
	for i := range counters.All {
		c := &counters.All[i]
		descs[i] = prometheus.NewDesc(c.MetricName(), c.MetricHelp(), nil, nil)
	}
	return descs
}

// collector reads gauges and counters when they are asked for.
type collector struct{ endpoint Endpoint }

// Describe implements prometheus.Collector.
func (*collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueLength, queueCapacity, backlogGiven, backlogEffective, somaxconn, listenerInfo, connections} {
		out <- d
	}
	for _, d := range counterDescs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for _, l := range c.endpoint.Listeners() {
		collectListener(l, out)
	}
	source := c.endpoint.Source()
	for state, n := range source.States {
		out <- gauge(connections, n, string(state))
	}
	for i := range counters.All {
		kind := prometheus.CounterValue
		if counters.All[i].Gauge {
			kind = prometheus.GaugeValue
		}
		out <- prometheus.MustNewConstMetric(counterDescs[i], kind, float64(counters.All[i].Value(&source)))
	}
}

func collectListener(l *listener.Listener, out chan<- prometheus.Metric) {
	port := portOf(l)
	counts, limits, profile := l.Counts()
	out <- gauge(queueLength, counts.Incomplete, port, incomplete)
	out <- gauge(queueLength, counts.Completed, port, completed)
	capacity := profile.Capacity(limits)
	for queue, most := range map[string]int{incomplete: capacity.Incomplete, completed: capacity.Completed, together: capacity.Together} {
		if most != backlog.Unbounded {
			out <- gauge(queueCapacity, most, port, queue)
		}
	}
	out <- gauge(backlogGiven, limits.Backlog, port)
	out <- gauge(backlogEffective, limits.Effective, port)
	out <- gauge(somaxconn, limits.Somaxconn, port)
	out <- gauge(listenerInfo, 1, port, profile.Name, profile.Describe(limits))
}

func gauge(desc *prometheus.Desc, n int, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), labels...)
}
