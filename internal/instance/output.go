package instance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tcplab/internal/endpoint"
)

// output writes what an instance has to say, as text or as JSON. It is safe for
// concurrent use: each Write is a line or several.
type output struct {
	json       bool
	showServer bool
	silent     atomic.Bool // nobody reads any more

	mu sync.Mutex // guards w
	w  *bufio.Writer
}

func newOutput(cfg *Config) *output {
	return &output{w: bufio.NewWriter(cfg.Out), json: cfg.JSON, showServer: len(cfg.Ports) > 1}
}

// notice is a line of JSON beside those of events: the first and the last one, and
// changes of settings. Kind tells them apart.
type notice struct {
	Time   time.Time         `json:"time"`
	Kind   string            `json:"kind"`             // "up", "set" or "down"
	Status *endpoint.Status  `json:"status,omitempty"` // of "up"
	Totals map[string]uint64 `json:"totals,omitempty"` // of "down"

	Changes map[string]string `json:"changes,omitempty"` // of "set": settings and their values

	Metrics *served `json:"metrics,omitempty"` // of "up", with --metrics
	UI      string  `json:"ui,omitempty"`      // of "up", with --ui: what to open, its token included
}

// served is something that is served over TCP beside the endpoint.
type served struct {
	URL   string `json:"url"`
	Token string `json:"token,omitempty"` // what requests need; none on loopback
}

// Write implements events.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.w.Write(p)
	if err != nil {
		err = &outputError{err}
	}
	return n, err
}

// Flush implements events.Writer.
func (o *output) Flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.w.Flush(); err != nil {
		return &outputError{err}
	}
	return nil
}

// say writes text, or n where the output is JSON.
func (o *output) say(text string, n notice) error {
	if o.silent.Load() {
		return nil
	}
	if !o.json {
		if _, err := o.Write([]byte(text)); err != nil {
			return err
		}
		return o.Flush()
	}
	n.Time = time.Now().UTC()
	encoder := json.NewEncoder(o)
	encoder.SetEscapeHTML(false) // rules have < and >
	if err := encoder.Encode(n); err != nil {
		return err
	}
	return o.Flush()
}

// banner says where the instance listens, what the profile makes of the backlog,
// and what to try.
func (o *output) banner(s endpoint.Status, metrics *served, page string) error {
	var b strings.Builder
	for i := range s.Listeners {
		fmt.Fprintf(&b, "listening on %s (%s, accept %s)\n", s.AddrsText(i), s.App, s.Accept)
	}
	fmt.Fprintf(&b, "through %s: %s, %s\n", s.Dev, s.LinksText(), s.LinkText())
	if s.NoOffload != "" {
		fmt.Fprintf(&b, "without offload, as the kernel refuses it (%s): large transfers are slower, all else is the same\n", s.NoOffload)
	}
	fmt.Fprintf(&b, "%s\n", s.Listeners[0].RuleText())
	if metrics != nil {
		fmt.Fprintf(&b, "metrics at %s", metrics.URL)
		if metrics.Token != "" {
			fmt.Fprintf(&b, " for who sends Authorization: Bearer %s", metrics.Token)
		}
		fmt.Fprintln(&b)
	}
	if page != "" {
		fmt.Fprintf(&b, "page at %s\n", page)
	}
	fmt.Fprintf(&b, "\nto try, in another terminal:\n")
	for _, command := range suggestions(&s) {
		fmt.Fprintf(&b, "  %s\n", command)
	}
	return o.say(b.String()+"\n", notice{Kind: "up", Status: &s, Metrics: metrics, UI: page})
}

// totals is the last line.
func (o *output) totals(totals map[string]uint64) error {
	return o.say(fmt.Sprintf("down: %s\n", endpoint.TotalsText(totals)), notice{Kind: "down", Totals: totals})
}

// suggestions are commands that show something with an endpoint like this one.
func suggestions(s *endpoint.Status) []string {
	addr := s.Listeners[0].Addr
	url := "http://" + host(addr) + "/"
	var commands []string
	switch s.App {
	case "http":
		commands = append(commands, "curl "+url, "ab -n 20000 -c 100 "+url)
	default:
		commands = append(commands, fmt.Sprintf("nc %v %d", addr.Addr(), addr.Port()))
	}
	commands = append(commands, fmt.Sprintf("sudo tcpdump -n -i %s", s.Dev))

	dev := ""
	if s.Dev != endpoint.Defaults().Dev {
		dev = " --dev " + s.Dev
	}
	commands = append(commands, "tcplab status"+dev)
	if s.Accept == "auto" {
		commands = append(commands, "tcplab set accept=off"+dev)
	} else {
		commands = append(commands, "tcplab accept 1"+dev)
	}
	return append(commands, "tcplab down"+dev)
}

// host is an address and port as a URL has it.
func host(addr netip.AddrPort) string {
	if addr.Port() != 80 {
		return addr.String()
	}
	return strings.TrimSuffix(addr.String(), ":80")
}
