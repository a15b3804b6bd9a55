package counters

import (
	"strings"

	"tcplab/listener/handshake"
	"tcplab/stack"
)

// Counter is a counter of an endpoint.
type Counter struct {
	Name   string // as nstat prints it
	Metric string // in snake case, without prefix and unit
	Help   string // what it counts, in a sentence
	// Gauge says that it goes up and down: its value is that of now, not since
	// the start or the last call.
	Gauge bool
	value func(*Source) uint64
}

// Source is what an endpoint has counted.
type Source struct {
	Listeners handshake.Counters // of all ports together
	Link      stack.Counters     // with netstack's
	States    map[stack.State]int
	TxDropped uint64 // by the interface
}

// Value is the counter's value in s.
func (c *Counter) Value(s *Source) uint64 { return c.value(s) }

// Read returns the values of all counters by name.
func Read(s *Source) map[string]uint64 {
	values := make(map[string]uint64, len(All))
	for i := range All {
		values[All[i].Name] = All[i].value(s)
	}
	return values
}

// MetricName is the counter's name for Prometheus.
func (c *Counter) MetricName() string {
	if c.Gauge {
		return "tcplab_" + c.Metric
	}
	return "tcplab_" + c.Metric + "_total"
}

// MetricHelp is the help of the metric: the name that nstat prints, and what it
// counts.
func (c *Counter) MetricHelp() string { return c.Name + ": " + c.Help }

// Ours reports whether the kernel has no such counter.
func (c *Counter) Ours() bool { return strings.HasPrefix(c.Name, "TcpLab") }

// of is the counter of listeners named which.
func of(which handshake.Counter) func(*Source) uint64 {
	return func(s *Source) uint64 { return s.Listeners[which] }
}

// link is the sum of these counters of the link.
func link(which ...stack.Counter) func(*Source) uint64 {
	return func(s *Source) uint64 {
		sum := uint64(0)
		for _, w := range which {
			sum += s.Link[w]
		}
		return sum
	}
}

// plus is the sum of two values.
func plus(a, b func(*Source) uint64) func(*Source) uint64 {
	return func(s *Source) uint64 { return a(s) + b(s) }
}

// less is a without b. The two are read one after the other: b may have gone
// ahead.
func less(a, b func(*Source) uint64) func(*Source) uint64 {
	return func(s *Source) uint64 {
		x := a(s)
		return x - min(x, b(s))
	}
}

// established is what RFC 4022 calls tcpCurrEstab.
func established(s *Source) uint64 {
	return uint64(s.States[stack.Established] + s.States[stack.CloseWait])
}
