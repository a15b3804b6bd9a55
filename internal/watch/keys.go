package watch

import (
	"strconv"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/printable"
	"tcplab/listener/backlog/profiles"
)

// off is the pace of accept while it is paused.
const off = "off"

// Key tells that a key was pressed, named as bubbletea does: "a", "space",
// "ctrl+c". It reports whether that ends the view.
func (m *Model) Key(key string, now time.Time) (quit bool) {
	if key == "ctrl+c" {
		return true
	}
	switch m.mode {
	case typing:
		m.typeKey(key)
	case choosing:
		m.chooseKey(key)
	case helping:
		m.mode = normal
	default:
		return m.normalKey(key, now)
	}
	return false
}

func (m *Model) normalKey(key string, now time.Time) (quit bool) {
	switch key {
	case "q":
		return true
	case "?", "h":
		m.mode = helping
		return false
	}
	l := m.listener()
	if l == nil {
		return false
	}
	switch key {
	case "tab", "right":
		m.port = (m.port + 1) % len(m.status.Listeners)
		return false
	case "shift+tab", "left":
		m.port = (m.port + len(m.status.Listeners) - 1) % len(m.status.Listeners)
		return false
	}
	if m.gone != nil {
		return false // the line that says so is there already
	}
	switch key {
	case "+", "=":
		m.stepBacklog(1, now)
	case "-", "_":
		m.stepBacklog(-1, now)
	case "b":
		m.mode, m.typed = typing, ""
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9":
		m.mode, m.typed = typing, key
	case "space":
		m.pause()
	case "a":
		m.acceptOne(now)
	case "p":
		m.mode, m.choice = choosing, max(profileIndex(l.Profile), 0)
	}
	return false
}

// stepBacklog makes the backlog larger or smaller by one.
func (m *Model) stepBacklog(by int, now time.Time) {
	n := m.listener().Backlog
	if last := m.lastSet("backlog"); last != "" { // one key after another, before the first one is answered
		n, _ = strconv.Atoi(last)
	}
	if n+by < 0 {
		m.say(now, true, "the backlog is %d: b, -1 and Enter set it to somaxconn", n)
		return
	}
	m.set("backlog", strconv.Itoa(n+by))
}

// pause stops accept, or lets it go on as before.
func (m *Model) pause() {
	accept := m.status.Accept
	if last := m.lastSet("accept"); last != "" {
		accept = last
	}
	if accept == off {
		m.set("accept", m.resume)
	} else {
		m.set("accept", off)
	}
}

// acceptOne has the application take a connection.
func (m *Model) acceptOne(now time.Time) {
	if m.status.Accept == "auto" && m.lastSet("accept") == "" {
		m.say(now, true, "connections are accepted as they come: space pauses that")
		return
	}
	if n := len(m.pending); n > 0 && m.pending[n-1].Accept > 0 {
		m.pending[n-1].Accept++
		return
	}
	m.pending = append(m.pending, Action{Accept: 1})
}

// typeKey edits the backlog that is being typed.
func (m *Model) typeKey(key string) {
	switch {
	case key == "esc":
		m.mode = normal
	case key == "backspace" && m.typed != "":
		m.typed = m.typed[:len(m.typed)-1]
	case key == "enter":
		m.mode = normal
		if m.typed != "" {
			m.set("backlog", m.typed) // the instance says what is wrong with it
		}
	case len(m.typed) < len("-2147483648") && (key == "-" && m.typed == "" || len(key) == 1 && key[0] >= '0' && key[0] <= '9'):
		m.typed += key
	}
}

// chooseKey moves in the menu of profiles.
func (m *Model) chooseKey(key string) {
	all := profiles.All()
	switch key {
	case "esc", "q":
		m.mode = normal
	case "up", "k", "shift+tab":
		m.choice = (m.choice + len(all) - 1) % len(all)
	case "down", "j", "tab", "p":
		m.choice = (m.choice + 1) % len(all)
	case "home":
		m.choice = 0
	case "end":
		m.choice = len(all) - 1
	case "enter", "space":
		m.mode = normal
		m.set("profile", all[m.choice].Name)
	}
}

func profileIndex(name string) int {
	for i, p := range profiles.All() {
		if p.Name == name {
			return i
		}
	}
	return -1
}

// Paste tells that text was pasted: digits, for a backlog, are typed.
func (m *Model) Paste(text string, now time.Time) {
	for _, r := range text {
		if m.mode == typing || m.mode == normal && r >= '0' && r <= '9' {
			m.Key(string(r), now)
		}
	}
}

// Action is something to be done to the instance: a setting, or connections to
// take.
type Action struct {
	Name, Value string
	Accept      int // greater than 0: take so many connections
}

// set has a setting changed. It replaces an equal one that waits.
func (m *Model) set(name, value string) {
	if n := len(m.pending); n > 0 && m.pending[n-1].Name == name {
		m.pending[n-1].Value = value
		return
	}
	m.pending = append(m.pending, Action{Name: name, Value: value})
}

// lastSet is what a setting will be when all actions are performed, "" if none
// changes it.
func (m *Model) lastSet(name string) string {
	value := ""
	if m.underway != nil && m.underway.Name == name {
		value = m.underway.Value
	}
	for _, a := range m.pending {
		if a.Name == name {
			value = a.Value
		}
	}
	return value
}

// Next takes the next action to perform. There is one at a time.
func (m *Model) Next() (a Action, ok bool) {
	if m.underway != nil || len(m.pending) == 0 {
		return Action{}, false
	}
	a, m.pending = m.pending[0], m.pending[1:]
	m.underway = &a
	return a, true
}

// Result is what came of an action.
type Result struct {
	Status *endpoint.Status // of a setting
	Taken  *endpoint.Taken  // of connections to take
	Err    error
}

// Performed tells what came of the action that Next returned.
func (m *Model) Performed(a Action, r Result, now time.Time) {
	m.underway = nil
	switch {
	case r.Err != nil:
		m.say(now, true, "%v", r.Err)
	case r.Taken != nil:
		m.sayTaken(r.Taken, now)
	case r.Status != nil && m.status != nil:
		m.saySet(a, r.Status, now)
	}
}

// saySet says what a changed setting comes to, and shows it before the next
// status does.
func (m *Model) saySet(a Action, s *endpoint.Status, now time.Time) {
	printable.Fields(s)
	m.status.Accept = s.Accept
	for i := range min(len(s.Listeners), len(m.status.Listeners)) {
		shown, changed := &m.status.Listeners[i], &s.Listeners[i]
		shown.Profile, shown.Rule, shown.Capacity = changed.Profile, changed.Rule, changed.Capacity
		shown.Backlog, shown.Effective = changed.Backlog, changed.Effective
	}
	switch {
	case a.Name == "accept" && a.Value == off:
		m.say(now, false, "accept is paused: a takes one connection, space goes on")
	default:
		m.say(now, false, "%s is %s now", a.Name, a.Value)
	}
}

// sayTaken says what came of an accept.
func (m *Model) sayTaken(t *endpoint.Taken, now time.Time) {
	switch {
	case t.Pending > 0:
		m.say(now, false, "%d will be accepted as soon as a worker is free", t.Pending)
	case t.Taken == 0:
		m.say(now, true, "nothing to accept: the completed queue is empty")
	case t.Taken == 1 && len(t.Clients) == 1:
		m.say(now, false, "accepted %v, completed queue: %d", t.Clients[0], t.Left)
	default:
		m.say(now, false, "accepted %d, completed queue: %d", t.Taken, t.Left)
	}
}
