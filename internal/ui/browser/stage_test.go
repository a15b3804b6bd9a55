package browser

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/internal/ui"
	"tcplab/internal/webguard"
	"tcplab/listener/backlog/profiles"
)

var server = netip.MustParseAddrPort("192.0.2.2:80")

// stage is an instance with a page, in a namespace of its own; the page is on
// loopback in that of the tests.
type stage struct {
	*testing.T
	ctx   context.Context
	ns    *netns.Namespace
	ep    *endpoint.Endpoint
	guard *webguard.Guard
	page  *ui.Server
}

// newStage brings up "sum" with a backlog of 2 and no accept.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{T: t}
	var cancel context.CancelFunc
	s.ctx, cancel = context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	s.up("127.0.0.1:0")
	t.Cleanup(s.down)
	return s
}

func (s *stage) up(addr string) {
	s.Helper()
	ns, err := netns.New("")
	if err != nil {
		s.Fatal(err)
	}
	cfg := endpoint.Defaults()
	cfg.Links, cfg.Accept, cfg.Profile, cfg.Backlog.Backlog = cfg.Links[:1], app.Off, profiles.Sum, 2
	if err := ns.Do(func() error { s.ep, err = endpoint.Up(cfg); return err }); err != nil {
		s.Fatal(err)
	}
	if s.guard, err = webguard.ListenPage("--ui", netip.MustParseAddrPort(addr)); err != nil {
		s.Fatal(err)
	}
	s.ns, s.page = ns, ui.New(s.ep)
	s.guard.Serve(s.page)
}

// down ends the instance, as Ctrl-C does.
func (s *stage) down() {
	s.Helper()
	if s.page == nil {
		return
	}
	s.page.Close()
	for _, end := range []func() error{s.guard.Close, s.ep.Close, s.ns.Close} {
		if err := end(); err != nil {
			s.Error(err)
		}
	}
	s.page = nil
}

// connect begins to connect k clients.
func (s *stage) connect(k int) {
	s.Helper()
	for range k {
		c, err := s.ns.Connect(server)
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = c.Close() })
	}
}

// get asks the instance's application for its page.
func (s *stage) get() error {
	client := http.Client{Transport: s.ns.Transport(s.ctx, server)}
	response, err := client.Get("http://" + server.String() + "/")
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return err
}
