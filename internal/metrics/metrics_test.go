package metrics_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"tcplab/internal/app"
	"tcplab/internal/counters"
	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/metrics"
	"tcplab/internal/webguard"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is an endpoint on a device in memory, with its metrics on loopback.
type lab struct {
	*testing.T
	*endpoint.Endpoint
	device *tuntest.Device
	guard  *webguard.Guard
}

func up(t *testing.T, change func(*endpoint.Config)) *lab {
	t.Helper()
	l := &lab{T: t, device: tuntest.New(1500)}
	cfg := endpoint.Defaults()
	cfg.Device, cfg.Links, cfg.Accept, cfg.App = l.device, cfg.Links[:1], app.Off, "discard"
	if change != nil {
		change(&cfg)
	}
	var err error
	if l.Endpoint, err = endpoint.Up(cfg); err != nil {
		t.Fatal(err)
	}
	if l.guard, err = webguard.Listen("--metrics", netip.MustParseAddrPort("127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	exporter := metrics.New(l.Endpoint, "v1")
	l.guard.Serve(exporter.Handler())
	t.Cleanup(func() {
		if err := l.guard.Close(); err != nil {
			t.Error(err)
		}
		exporter.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// get asks for a path.
func (l *lab) get(path, accept string) *http.Response {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), http.MethodGet, l.guard.URL(path), nil)
	if err != nil {
		l.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	answer, err := client.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	return answer
}

// scrape is a scrape as Prometheus makes it.
func (l *lab) scrape() map[string]*dto.MetricFamily {
	l.Helper()
	answer := l.get(metrics.Path, string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		l.Fatalf("the scrape was answered with %s", answer.Status)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		l.Fatal(err)
	}
	return families
}

// find is the value of the metric with these labels, "name=value" each.
func find(t *testing.T, families map[string]*dto.MetricFamily, name string, labels ...string) *dto.Metric {
	t.Helper()
	family := families[name]
	if family == nil {
		t.Fatalf("no %s in the scrape", name)
	}
next:
	for _, m := range family.GetMetric() {
		for _, label := range labels {
			key, value, _ := strings.Cut(label, "=")
			if !hasLabel(m, key, value) {
				continue next
			}
		}
		return m
	}
	t.Fatalf("no %s with %v in the scrape", name, labels)
	return nil
}

func hasLabel(m *dto.Metric, name, value string) bool {
	for _, label := range m.GetLabel() {
		if label.GetName() == name && label.GetValue() == value {
			return true
		}
	}
	return false
}

// connect has n clients connect, each after the one before.
func (l *lab) connect(n int) {
	l.Helper()
	done := l.Subscribe(n+1, events.OneKind(handshake.Promoted))
	defer done.Close()
	server := netip.AddrPortFrom(endpoint.Defaults().Links[0].Addr, 80)
	for i := range n {
		tuple := segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(40000+i)), server)
		l.inject(&segment.Segment{Tuple: tuple, Seq: 1000, Flags: segment.SYN, Window: 65535})
		for {
			packet, err := l.device.Sent(l.Context())
			if err != nil {
				l.Fatal(err)
			}
			ip, err := segment.ParseIP(packet)
			var s segment.Segment
			if err != nil || segment.ParseTCP(&ip, &s) != nil || s.Tuple.Reverse() != tuple || !s.Flags.Has(segment.SYN|segment.ACK) {
				continue
			}
			l.inject(&segment.Segment{Tuple: tuple, Seq: 1001, Ack: s.Seq + 1, Flags: segment.ACK, Window: 65535})
			break
		}
		if _, err := done.Next(l.Context()); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *lab) inject(s *segment.Segment) {
	l.Helper()
	if err := l.device.Inject(segment.AppendRequest(nil, s)); err != nil {
		l.Fatal(err)
	}
}

// Three clients connect and two are accepted: lengths, limits, counters and
// times show it.
func TestScrape(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) { cfg.Ports = []uint16{80, 8080} })
	l.connect(3)
	if taken, err := l.Accept(t.Context(), 2); err != nil || taken.Taken != 2 {
		t.Fatalf("taken %+v, %v", taken, err)
	}
	var families map[string]*dto.MetricFamily
	wait := func() *dto.Histogram {
		families = l.scrape()
		return find(t, families, "tcplab_listener_queue_wait_seconds", "port=80", "queue=completed").GetHistogram()
	}
	for deadline := time.Now().Add(time.Minute); wait().GetSampleCount() < 2; { // the events are on their way
		if time.Now().After(deadline) {
			t.Fatal("the histogram does not move")
		}
	}
	if h := wait(); h.GetSampleCount() != 2 || h.GetSampleSum() <= 0 {
		t.Errorf("%d times of the completed queue, %v s together, want 2", h.GetSampleCount(), h.GetSampleSum())
	}
	if h := find(t, families, "tcplab_listener_queue_wait_seconds", "port=80", "queue=incomplete").GetHistogram(); h.GetSampleCount() != 3 {
		t.Errorf("%d times of the incomplete queue, want 3", h.GetSampleCount())
	}
	if h := find(t, families, "tcplab_listener_queue_wait_seconds", "port=8080", "queue=incomplete").GetHistogram(); h.GetSampleCount() != 0 {
		t.Errorf("%d times of the other port, want 0", h.GetSampleCount())
	}
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"tcplab_listener_queue_length", []string{"port=80", "queue=completed"}, 1},
		{"tcplab_listener_queue_length", []string{"port=80", "queue=incomplete"}, 0},
		{"tcplab_listener_queue_length", []string{"port=8080", "queue=completed"}, 0},
		{"tcplab_listener_queue_capacity", []string{"port=80", "queue=together"}, 13},
		{"tcplab_listener_backlog", []string{"port=80"}, 8},
		{"tcplab_listener_backlog_effective", []string{"port=80"}, 8},
		{"tcplab_listener_somaxconn", []string{"port=80"}, 4096},
		{"tcplab_listener_info", []string{"port=80", "profile=bsd", "rule=incomplete + completed <= 13, that is 3*8/2+1"}, 1},
		{"tcplab_connections", []string{"state=ESTAB"}, 3},
		{"tcplab_connections", []string{"state=TIME-WAIT"}, 0},
		{"tcplab_tcp_curr_estab", nil, 3},
		{"tcplab_build_info", []string{"version=v1"}, 1},
	} {
		if got := find(t, families, c.name, c.labels...).GetGauge().GetValue(); got != c.want {
			t.Errorf("%s%v is %v, want %v", c.name, c.labels, got, c.want)
		}
	}
	for name, want := range map[string]float64{
		"tcplab_tcp_passive_opens_total": 3, "tcplab_accepts_total": 2, "tcplab_syns_received_total": 3,
		"tcplab_tcpext_listen_drops_total": 0, "tcplab_events_lost_total": 0,
	} {
		if got := find(t, families, name).GetCounter().GetValue(); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for i := range counters.All {
		c := &counters.All[i]
		if f := families[c.MetricName()]; f == nil || f.GetHelp() != c.Name+": "+c.Help {
			t.Errorf("%s is %v, want help %q", c.MetricName(), f, c.Help)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if families[name] == nil {
			t.Errorf("no %s in the scrape", name)
		}
	}
}

// The names and helps are as Prometheus wants them.
func TestLint(t *testing.T) {
	l := up(t, nil)
	answer := l.get(metrics.Path, "text/plain")
	defer answer.Body.Close()
	problems, err := promlint.New(answer.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tcplab_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	root := l.get("/", "")
	defer root.Body.Close()
	if root.StatusCode != http.StatusOK {
		t.Errorf("/ is answered with %s", root.Status)
	}
}

// Each metric that the dashboard asks for is in a scrape.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/tcplab.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			Title, Description, Type string
			Targets                  []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	families := up(t, nil).scrape()
	metric := regexp.MustCompile(`\b(tcplab|go|process)_[a-z0-9_]+`)
	asked := 0
	check := func(where, expr string) {
		for _, name := range metric.FindAllString(expr, -1) {
			asked++
			family := families[name]
			if base, isBucket := strings.CutSuffix(name, "_bucket"); isBucket {
				family = families[base]
			}
			if family == nil {
				t.Errorf("%s asks for %s, which no scrape has", where, name)
			}
		}
	}
	for _, p := range dashboard.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("a panel lacks something: %+v", p)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	for _, v := range dashboard.Templating.List {
		check(v.Name, v.Definition)
	}
	if dashboard.Title != "tcplab" || asked < 40 {
		t.Errorf("%s asks for %d metrics", dashboard.Title, asked)
	}
}
