// Package metrics exports an endpoint's queues and counters for Prometheus:
//
//	listener.Listener ── Counts ───────► gauges: lengths and limits of the queues
//	counters.All ──────────────────────► counters, with their help
//	events.Hub ──► Subscription ──► histograms of the time in each queue
//
// Gauges and counters are read when somebody asks. The histograms are fed from
// the events by a goroutine of their own, so that packets never wait: events
// that come faster than it reads are lost, and counted.
//
// # Concurrency
//
// An Exporter is safe for concurrent use. Its goroutine ends with the endpoint,
// or with Close, which waits for it.
package metrics
