package watch

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"tcplab/internal/endpoint"
)

// wants checks the actions that keys lead to, performing each one.
func wants(t *testing.T, m *Model, want ...Action) {
	t.Helper()
	for _, w := range want {
		got, ok := m.Next()
		if !ok || got != w {
			t.Errorf("action %+v (%v), want %+v", got, ok, w)
		}
		m.Performed(got, Result{}, noon)
	}
	if got, ok := m.Next(); ok {
		t.Errorf("action %+v that nobody asked for", got)
	}
}

func set(name, value string) Action { return Action{Name: name, Value: value} }

func TestKeysToActions(t *testing.T) {
	for keys, want := range map[string][]Action{
		"+":                             {set("backlog", "9")},
		"+ + =":                         {set("backlog", "11")}, // none was sent yet
		"-":                             {set("backlog", "7")},
		"- - - - - - - - - - -":         {set("backlog", "0")},
		"1 2 8 enter":                   {set("backlog", "128")},
		"b - 1 enter":                   {set("backlog", "-1")},
		"b - - 1 x 2 backspace enter":   {set("backlog", "-1")},
		"b backspace 5 enter":           {set("backlog", "5")},
		"1 2 esc":                       nil,
		"b enter":                       nil,
		"1 1 1 1 1 1 1 1 1 1 1 1 1 esc": nil,
		"space":                         {set("accept", "auto")},
		"space space":                   {set("accept", "off")},
		"a":                             {{Accept: 1}},
		"a a a":                         {{Accept: 3}},
		"a + a":                         {{Accept: 1}, set("backlog", "9"), {Accept: 1}},
		"p enter":                       {set("profile", "bsd")},
		"p up enter":                    {set("profile", "sum")},
		"p home up enter":               {set("profile", "lwip")},
		"p end down space":              {set("profile", "sum")},
		"p down down esc":               nil,
		"? +":                           nil, // a key closes the help
		"tab x f1 enter backspace":      nil,
	} {
		m := pressed(full13().model(80, 24), strings.Fields(keys)...)
		t.Run(keys, func(t *testing.T) { wants(t, m, want...) })
	}
}

// What is under way is not changed; what comes after it builds on it.
func TestKeysWhileAnActionIsUnderWay(t *testing.T) {
	m := pressed(full13().model(80, 24), "+")
	first, _ := m.Next()
	pressed(m, "+", "+", "a")
	if _, ok := m.Next(); ok {
		t.Error("two actions at a time")
	}
	m.Performed(first, Result{}, noon)
	if first != set("backlog", "9") {
		t.Errorf("first action %+v", first)
	}
	wants(t, m, set("backlog", "11"), Action{Accept: 1})
}

func TestQuit(t *testing.T) {
	for keys, want := range map[string]bool{"q": true, "ctrl+c": true, "p q": false, "p ctrl+c": true, "b ctrl+c": true, "? q": false, "x": false} {
		m, quit := full13().model(80, 24), false
		for _, key := range strings.Fields(keys) {
			quit = m.Key(key, noon)
		}
		if quit != want {
			t.Errorf("%s quits: %v", keys, quit)
		}
	}
}

// Pausing remembers the pace.
func TestPauseAndResume(t *testing.T) {
	s := full13()
	s.accept = "5/s"
	m := pressed(s.model(80, 24), "space")
	wants(t, m, set("accept", "off"))
	s.accept = off
	m.Status(s.status(), noon)
	pressed(m, "space")
	wants(t, m, set("accept", "5/s"))
}

func TestAcceptWhileItIsAuto(t *testing.T) {
	s := full13()
	s.accept = "auto"
	m := pressed(s.model(80, 24), "a")
	wants(t, m)
	if !m.bad || !strings.Contains(m.message, "space pauses") {
		t.Errorf("message %q", m.message)
	}
}

func TestResultsAreSaid(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:40001")
	for _, test := range []struct {
		result Result
		want   string
		bad    bool
	}{
		{Result{Err: errors.New("give a number")}, "give a number", true},
		{Result{Taken: &endpoint.Taken{Asked: 1}}, "nothing to accept: the completed queue is empty", true},
		{Result{Taken: &endpoint.Taken{Asked: 1, Taken: 1, Clients: []netip.AddrPort{addr}, Left: 2}}, "accepted 192.0.2.1:40001, completed queue: 2", false},
		{Result{Taken: &endpoint.Taken{Asked: 3, Taken: 2, Left: 0}}, "accepted 2, completed queue: 0", false},
		{Result{Taken: &endpoint.Taken{Asked: 1, Pending: 1}}, "1 will be accepted as soon as a worker is free", false},
	} {
		m := full13().model(80, 24)
		m.Performed(Action{Accept: 1}, test.result, noon)
		if m.message != test.want || m.bad != test.bad {
			t.Errorf("message %q (bad: %v), want %q (%v)", m.message, m.bad, test.want, test.bad)
		}
	}
}

// A changed setting is shown at once, whatever the last status says.
func TestSettingIsShownAtOnce(t *testing.T) {
	m := full13().model(80, 24)
	changed := full13()
	changed.settings.Backlog = 20
	status := changed.status()
	m.Performed(set("backlog", "20"), Result{Status: &status}, noon)
	if view := m.View(noon); !strings.Contains(view, "incomplete + completed <= 31") || !strings.Contains(view, "backlog is 20 now") {
		t.Errorf("view\n%s", view)
	}
	if view := m.View(noon.Add(messageTime + 1)); strings.Contains(view, "backlog is 20 now") {
		t.Error("the message stays")
	}
}

// Without an instance keys do nothing; another one is told apart.
func TestInstanceThatGoesAndComesBack(t *testing.T) {
	s := full13()
	m := pressed(s.model(80, 24), "+")
	m.Gone(errors.New("no tcplab is running"), noon)
	pressed(m, "+", "space", "a", "p", "1")
	wants(t, m)
	if view := m.View(noon); !strings.Contains(view, "is not there since 0s") || !strings.Contains(view, "no tcplab is running") {
		t.Errorf("view\n%s", view)
	}
	m.Status(s.status(), noon)
	if len(m.events) == 0 || !strings.Contains(m.message, "answers again") {
		t.Errorf("%d events, message %q", len(m.events), m.message)
	}
	m.Gone(errors.New("no tcplab is running"), noon)
	another := s.status()
	another.PID++
	m.Status(another, noon)
	if len(m.events) != 0 || len(m.history[0].samples) != 1 || !strings.Contains(m.message, "another instance, process 4712") {
		t.Errorf("%d events, message %q", len(m.events), m.message)
	}
}

// With another instance that has fewer ports, the view moves to one that is there.
func TestFewerPorts(t *testing.T) {
	s := full13()
	s.ports = []uint16{80, 81, 82}
	m := pressed(s.model(80, 24), "left")
	if !strings.Contains(m.View(noon), "port 3 of 3") {
		t.Errorf("view\n%s", m.View(noon))
	}
	s.ports = []uint16{80}
	m.Status(s.status(), noon)
	if !strings.Contains(m.View(noon), "192.0.2.2:80") {
		t.Errorf("view\n%s", m.View(noon))
	}
}

func TestPaste(t *testing.T) {
	m := full13().model(80, 24)
	m.Paste("q64\n", noon)
	pressed(m, "enter")
	wants(t, m, set("backlog", "64"))
}
