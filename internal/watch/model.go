package watch

import (
	"fmt"
	"slices"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/printable"
)

// Bounds of what is asked for and kept.
const (
	listEntries = 100 // entries of each queue: no screen is taller
	keptEvents  = 100
)

// Model is what the view knows, and what somebody types into it.
type Model struct {
	dev           string
	width, height int
	still         bool // a frame that nobody can type at

	status   *endpoint.Status // the last one
	at       time.Time        // when it came
	port     int              // which of its listeners is shown
	history  []history        // of each listener
	gone     error            // why there is no newer status; nil: there is one
	goneFrom time.Time

	events []events.Record // the last ones, oldest first
	lost   uint64          // events that were not delivered

	mode     mode
	typed    string // a backlog that is being typed
	choice   int    // of the menu
	resume   string // accept's pace before it was paused
	message  string // what came of the last key
	bad      bool   // that it failed
	expires  time.Time
	pending  []Action
	underway *Action // was taken from pending and has not been performed yet
}

// mode is what keys mean at the moment.
type mode uint8

const (
	normal   mode = iota
	typing        // a backlog
	choosing      // a profile
	helping       // the help is shown
)

// NewModel makes the view of the instance on dev, for a screen of a size.
func NewModel(dev string, width, height int) *Model {
	return &Model{dev: printable.Line(dev), width: width, height: height, resume: "auto"}
}

// Resize tells the size of the screen.
func (m *Model) Resize(width, height int) { m.width, m.height = width, height }

// Status tells the state of the instance at a time. Its texts are made printable.
func (m *Model) Status(s endpoint.Status, now time.Time) {
	printable.Fields(&s)
	another := m.status != nil && (m.status.PID != s.PID || !m.status.Started.Equal(s.Started))
	if another {
		m.history, m.events, m.lost, m.pending = nil, nil, 0, nil
		m.say(now, false, "another instance, process %d, runs on %s now", s.PID, s.Dev)
	} else if m.gone != nil {
		m.say(now, false, "the instance on %s answers again", s.Dev)
	}
	m.status, m.at, m.gone = &s, now, nil
	m.port = min(m.port, max(len(s.Listeners)-1, 0))
	for len(m.history) < len(s.Listeners) {
		m.history = append(m.history, history{})
	}
	for i := range s.Listeners {
		m.history[i].add(now, s.Listeners[i].Counters)
	}
	if s.Accept != off {
		m.resume = s.Accept
	}
}

// Event tells an event of the instance. Its texts are made printable.
func (m *Model) Event(r *events.Record) {
	printable.Fields(r)
	m.lost += r.Lost
	if len(m.events) == keptEvents {
		m.events = slices.Delete(m.events, 0, 1)
	}
	m.events = append(m.events, *r)
}

// Missed tells that so many events are not shown.
func (m *Model) Missed(n uint64) { m.lost += n }

// Gone tells that the instance does not answer, and why.
func (m *Model) Gone(err error, now time.Time) {
	if m.gone == nil {
		m.goneFrom = now
		m.pending = nil
	}
	m.gone = err
}

// listener is the one that is shown; nil before the first status.
func (m *Model) listener() *endpoint.ListenerStatus {
	if m.status == nil || len(m.status.Listeners) == 0 {
		return nil
	}
	return &m.status.Listeners[m.port]
}

// dropping reports that SYNs or final ACKs were dropped within the last second.
func (m *Model) dropping() bool {
	return m.status != nil && m.port < len(m.history) && m.history[m.port].rate(m.at).drops > 0
}

// messageTime is how long what came of a key is shown.
const messageTime = 6 * time.Second

func (m *Model) say(now time.Time, bad bool, format string, args ...any) {
	m.message, m.bad, m.expires = printable.Line(fmt.Sprintf(format, args...)), bad, now.Add(messageTime)
}
