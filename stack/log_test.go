package stack_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"gvisor.dev/gvisor/pkg/log"

	"tcplab/stack"
	"tcplab/tun/tuntest"
)

// kept is netstack's logger as its packages keep it from their initialization on.
var kept = log.Log()

// lines takes what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// What netstack logs comes to the stack's logger, on one line, whatever is in it,
// and nowhere else once the stack is closed.
func TestNetstackLog(t *testing.T) {
	var got lines
	s, err := stack.New(tuntest.New(1500), stack.Config{
		Addrs: []netip.Prefix{subnet}, Logger: slog.New(slog.NewTextHandler(&got, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	log.Warningf("of %s\n", "a client\x1b[2J\nand more")
	log.BasicRateLimitedLogger(1).Infof("seldom")
	kept.Infof("from the start")
	kept.Debugf("too much")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kept.Warningf("after the end")
	text := got.text.String()
	for _, want := range []string{
		`level=WARN msg="netstack: of a client\x1b[2J\nand more"` + "\n",
		`level=INFO msg="netstack: seldom"` + "\n",
		`level=INFO msg="netstack: from the start"` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n != 3 {
		t.Errorf("%d lines: %q", n, text)
	}
}
