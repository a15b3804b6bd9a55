package predict

import (
	"strings"
	"testing"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

var settings = backlog.Settings{Somaxconn: 4096, MaxSynBacklog: 2048, Syncookies: 1}

func run(t *testing.T, name string, cfg Config) Result {
	t.Helper()
	profile, err := profiles.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Profile = profile
	if cfg.Every == 0 {
		cfg.Every = time.Millisecond
	}
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func connectedAtOnce(r *Result) int {
	n := 0
	for _, f := range r.Clients {
		if f.Connected == 0 {
			n++
		}
	}
	return n
}

// Figure 4.10 of UNP, in virtual time: how many clients' connects succeed at
// once when nobody accepts.
func TestFigure410(t *testing.T) {
	published := map[string][]int{
		"bsd":       {1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22},
		"linux-2.4": {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17},
		"hpux-11":   {1, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21},
		"freebsd-4": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		"solaris-9": {1, 2, 4, 5, 6, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22},
	}
	for name, row := range published {
		for b, want := range row {
			s := settings
			s.Backlog = b
			r := run(t, name, Config{Settings: s, Clients: 40, Horizon: 500 * time.Millisecond})
			if got := connectedAtOnce(&r); got != want {
				t.Errorf("%s, backlog %d: %d clients connect, figure 4.10 says %d", name, b, got, want)
			}
		}
	}
}

func TestClientsComeInAsAcceptMakesRoom(t *testing.T) {
	s := settings
	s.Backlog = 2
	r := run(t, "bsd", Config{Settings: s, Clients: 20, Accept: 250 * time.Millisecond})
	for _, f := range r.Clients {
		if f.View != Established || f.Server != Accepted {
			t.Errorf("client %d: %s, server has %s; everybody gets in in the end", f.Client, f.View, f.Server)
		}
	}
	if connectedAtOnce(&r) != 4 {
		t.Errorf("%d clients connect at once, want 4 = 3*2/2+1", connectedAtOnce(&r))
	}
}

func TestLinux24ClientsBelieveWrongly(t *testing.T) {
	s := settings
	s.Backlog = 0
	r := run(t, "linux-2.4", Config{Settings: s, Clients: 3})
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "ESTABLISHED, wrongly") {
		t.Errorf("two of three clients believe wrongly that they are connected:\n%s", text.String())
	}
}

func TestTimesOutAfter131Seconds(t *testing.T) {
	s := settings
	s.Backlog = 1
	r := run(t, "sum", Config{Settings: s, Clients: 2})
	if f := r.Clients[1]; f.View != TimedOut || f.SYNs != 11 || r.Watched != synGivesUp+time.Millisecond {
		t.Errorf("second client: %s after %d SYNs, want ETIMEDOUT after 11", f.View, f.SYNs)
	}
}

func TestClientsOutOfRange(t *testing.T) {
	if _, err := Run(Config{Profile: profiles.BSD, Settings: settings}); err == nil {
		t.Error("0 clients were accepted")
	}
}
