package endpoint_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

func acceptOff(cfg *endpoint.Config) { cfg.Accept = app.Off }

func TestStatusShowsBothQueues(t *testing.T) {
	l := up(t, acceptOff)
	l.connect(1, 80)
	l.connect(2, 80)
	l.syn(3, 80)
	l.await(handshake.SYNAdmitted)

	s := l.Status(endpoint.Everything)
	if s.PID != os.Getpid() || s.Dev != "tcplab0" || s.MTU != 1500 || s.App != "http" || s.Accept != "off" {
		t.Errorf("head %+v", s)
	}
	if s.Interface != nil {
		t.Error("counters of an interface that does not exist")
	}
	port := s.Listeners[0]
	if got := port.RuleText(); got != "bsd: incomplete + completed <= 13, that is 3*8/2+1" {
		t.Errorf("rule %q", got)
	}
	check := func(name string, q endpoint.QueueStatus, state string, clients ...int) {
		t.Helper()
		if q.Length != len(clients) || len(q.Entries) != len(clients) {
			t.Fatalf("%s %+v, want %d", name, q, len(clients))
		}
		for i, n := range clients {
			if e := q.Entries[i]; e.Client != client(n) || e.State != state || e.AgeUS < 0 {
				t.Errorf("%s entry %d: %+v", name, i, e)
			}
		}
	}
	check("incomplete", port.Incomplete, "SYN-RECEIVED", 3)
	check("completed", port.Completed, "ESTABLISHED", 1, 2)
	if s.Totals["SYNsReceived"] != 3 || s.Totals["PassiveOpens"] != 2 {
		t.Errorf("totals %v", s.Totals)
	}

	if short := l.Status(1).Listeners[0].Completed; short.Length != 2 || len(short.Entries) != 1 || short.Entries[0].Client != client(1) {
		t.Errorf("with a limit of 1: %+v", short)
	}
}

func TestAcceptTakesWhatIsThere(t *testing.T) {
	l := up(t, acceptOff)
	for n := range 3 {
		l.connect(1+n, 80)
	}
	take := func(n, taken, left int, clients ...netip.AddrPort) {
		t.Helper()
		got, err := l.Accept(l.ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		if got.Asked != n || got.Taken != taken || got.Left != left || got.Pending != 0 || !slices.Equal(got.Clients, clients) {
			t.Errorf("accept %d: %+v, want %d taken, %d left, %v", n, got, taken, left, clients)
		}
	}
	take(1, 1, 2, client(1))
	take(5, 2, 0, client(2), client(3))
	take(1, 0, 0)

	// What was not used is not kept: off is off.
	l.connect(4, 80)
	if n := l.Status(0).Listeners[0].Completed.Length; n != 1 {
		t.Errorf("%d in the completed queue, want the new one", n)
	}
	take(1, 1, 0, client(4))
}

// With several ports, accepts go to where connections wait.
func TestAcceptOverSeveralPorts(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) {
		cfg.Accept, cfg.Ports = app.Off, []uint16{80, 81, 82}
	})
	l.connect(1, 82)
	l.connect(2, 81)
	got, err := l.Accept(l.ctx, 2)
	if err != nil || got.Taken != 2 || got.Left != 0 {
		t.Errorf("%+v, %v; want both taken", got, err)
	}
}

func TestAcceptWithBusyWorkers(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) {
		cfg.Accept, cfg.App, cfg.Workers = app.Off, "hold", 1
	})
	l.connect(1, 80)
	l.connect(2, 80)
	got, err := l.Accept(l.ctx, 2)
	if err != nil || got.Taken != 1 || got.Pending != 1 || got.Left != 1 {
		t.Errorf("%+v, %v; want one taken and one pending", got, err)
	}
}

func TestAcceptRefusals(t *testing.T) {
	l := up(t, nil)
	if _, err := l.Accept(l.ctx, 1); err == nil || !strings.Contains(err.Error(), "tcplab set accept=off") {
		t.Errorf("with accept auto: error %v, want one that says what to do", err)
	}
	if _, err := l.Accept(l.ctx, 0); err == nil {
		t.Error("accept 0 succeeds")
	}
}

func TestSetShrinksWithoutLosing(t *testing.T) {
	l := up(t, acceptOff)
	for n := range 3 {
		l.connect(1+n, 80)
	}
	if err := l.Set(map[string]string{"backlog": "2", "profile": "sum"}); err != nil {
		t.Fatal(err)
	}
	l.syn(4, 80)
	if e := l.await(handshake.SYNDropped); !strings.Contains(e.Reason(), "3 of 2 queued (incomplete 0, completed 3), sum, backlog 2") {
		t.Errorf("reason %q", e.Reason())
	}
	if s := l.Status(0).Listeners[0]; s.Completed.Length != 3 || s.Effective != 2 {
		t.Errorf("%+v, want the three that were there", s)
	}
	if err := l.Set(map[string]string{"accept": "auto"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		l.await(handshake.Accepted)
	}
	l.connect(4, 80)
}

func TestSetIsAllOrNothing(t *testing.T) {
	l := up(t, acceptOff)
	if err := l.Set(map[string]string{"backlog": "2", "syn-timeout": "soon"}); err == nil {
		t.Error("a bad value is taken")
	}
	if s := l.Settings(); s.Backlog.Backlog != 8 {
		t.Errorf("backlog %d, want it untouched", s.Backlog.Backlog)
	}
}

func TestExpiryAtTheTimeThatWasSet(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) {
		if err := cfg.Set("syn-timeout", "50ms"); err != nil {
			t.Fatal(err)
		}
	})
	l.syn(1, 80)
	l.await(handshake.Expired)
	l.sent(1, segment.RST|segment.ACK)
}

func TestCloseResetsWhatIsQueued(t *testing.T) {
	l := up(t, acceptOff)
	l.connect(1, 80)
	l.converse(1, 80)
	l.syn(2, 80)
	l.await(handshake.SYNAdmitted)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l.await(handshake.Closed)
	}
	l.sent(1, segment.RST)
	if _, err := l.events.Next(l.ctx); err == nil {
		t.Error("events go on after Close")
	}
	if l.Totals()["PassiveOpens"] != 1 {
		t.Errorf("totals after Close: %v", l.Totals())
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestWait(t *testing.T) {
	t.Run("for the context", func(t *testing.T) {
		l := up(t, nil)
		ctx, cancel := context.WithCancel(l.ctx)
		cancel()
		if err := l.Wait(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("for Close", func(t *testing.T) {
		l := up(t, nil)
		go func() { _ = l.Close() }()
		if err := l.Wait(l.ctx); err != nil {
			t.Error(err)
		}
	})
	t.Run("until the interface is gone", func(t *testing.T) {
		l := up(t, nil)
		if err := l.dev.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Wait(l.ctx); err == nil || !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "tcplab0") {
			t.Errorf("error %v, want one that names the interface", err)
		}
	})
}

// What was made before an error is taken down again.
func TestErrorHalfWay(t *testing.T) {
	dev := tuntest.New(1500)
	cfg := endpoint.Defaults()
	cfg.Device = dev
	cfg.Backlog.Somaxconn = 0 // the listener refuses it
	if _, err := endpoint.Up(cfg); err == nil || !strings.Contains(err.Error(), "listening on port 80") {
		t.Errorf("error %v, want one from the listener", err)
	}
	if _, err := dev.Read(make([]byte, 1500)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the device is still open: %v", err)
	}
}

func TestText(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) { cfg.Accept, cfg.Ports = app.Off, []uint16{80, 81} })
	l.connect(1, 80)
	l.connect(2, 80)
	s := l.Status(1)
	text := s.Text(s.Started)
	for _, want := range []string{
		"tcplab0: 192.0.2.2 (host 192.0.2.1/24), mtu 1500, process ", ", up 0s\n",
		"http, accept off, workers unlimited, work 0s; tcplab ",
		"192.0.2.2:80  bsd: incomplete + completed <= 13, that is 3*8/2+1\nincomplete 0, completed 2; ",
		"QUEUE      CLIENT       STATE        AGE ",
		"completed  192.0.2.1:1  ESTABLISHED  ",
		"and 1 more in the completed queue\n",
		"192.0.2.2:81  bsd: ",
		"totals: 2 SYNs, 0 dropped (SYNs and final ACKs), 2 promoted, 0 accepted, 0 expired, 0 reset by clients\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
