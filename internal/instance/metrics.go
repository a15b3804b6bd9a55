package instance

import (
	"tcplab/internal/endpoint"
	"tcplab/internal/metrics"
	"tcplab/internal/webguard"
)

// metricsServer serves metrics. Nil serves none.
type metricsServer struct {
	guard    *webguard.Guard
	exporter *metrics.Exporter // nil before serve
}

// openMetrics opens where the configuration wants metrics, if anywhere. Clients
// wait until serve.
func openMetrics(cfg *Config) (*metricsServer, error) {
	if !cfg.Metrics.IsValid() {
		return nil, nil
	}
	guard, err := webguard.Listen("--metrics", cfg.Metrics)
	if err != nil {
		return nil, err
	}
	return &metricsServer{guard: guard}, nil
}

// serve answers clients from now on.
func (m *metricsServer) serve(ep *endpoint.Endpoint, version string) {
	if m == nil {
		return
	}
	m.exporter = metrics.New(ep, version)
	m.guard.Serve(m.exporter.Handler())
}

// where says where the metrics are; nil if nowhere.
func (m *metricsServer) where() *served {
	if m == nil {
		return nil
	}
	return &served{URL: m.guard.URL(metrics.Path), Token: m.guard.Token()}
}

// Close ends serving. The endpoint must still be there.
func (m *metricsServer) Close() error {
	if m == nil {
		return nil
	}
	err := m.guard.Close()
	if m.exporter != nil {
		m.exporter.Close()
	}
	return err
}
