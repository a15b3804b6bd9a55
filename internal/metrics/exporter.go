package metrics

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tcplab/internal/counters"
	"tcplab/internal/events"
	"tcplab/listener"
)

// Endpoint is what is measured. *endpoint.Endpoint implements it.
type Endpoint interface {
	Source() counters.Source
	Listeners() []*listener.Listener
	Subscribe(size int, kinds events.Kinds) *events.Subscription
}

// Path is where a Handler serves the metrics.
const Path = "/metrics"

// atOnce is how many scrapes are answered at the same time; more are told to
// come later.
const atOnce = 4

// Exporter measures an endpoint.
type Exporter struct {
	registry     *prometheus.Registry
	waits        *waits
	subscription *events.Subscription
	ended        chan struct{} // closed by the goroutine that reads events
}

// New begins to measure ep. version is the program's.
func New(ep Endpoint, version string) *Exporter {
	x := &Exporter{registry: prometheus.NewRegistry(), ended: make(chan struct{})}
	x.waits = newWaits(ep.Listeners())
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tcplab_build_info", Help: "1, with the version of tcplab and that of Go that it was built with.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	x.registry.MustRegister(&collector{ep}, x.waits.seconds, x.waits.lost, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	x.subscription = ep.Subscribe(waitRing, waitKinds)
	go func() {
		defer close(x.ended)
		for {
			e, err := x.subscription.Next(context.Background())
			if err != nil {
				return // io.EOF
			}
			x.waits.observe(&e)
		}
	}()
	return x
}

// Handler serves the metrics at Path, and says so elsewhere.
func (x *Exporter) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, promhttp.HandlerFor(x.registry, promhttp.HandlerOpts{
		Registry:            x.registry,
		MaxRequestsInFlight: atOnce,
		EnableOpenMetrics:   true,
		ErrorLog:            slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "tcplab: metrics for Prometheus are at "+Path+"\n")
	})
	return mux
}

// Close ends the measuring.
func (x *Exporter) Close() {
	x.subscription.Close()
	<-x.ended
}
