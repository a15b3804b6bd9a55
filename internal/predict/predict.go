// Package predict says what would happen: it lets clients arrive at a listener
// in virtual time, with the machine that serves real ones, no root and no
// device.
package predict

import (
	"fmt"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Config is what is asked.
type Config struct {
	Profile  *backlog.Profile
	Settings backlog.Settings
	Clients  int           // how many connect; at most MaxClients
	Every    time.Duration // between one client's connect and the next one's
	Accept   time.Duration // the application calls accept this often; zero: never
	Horizon  time.Duration // how long to watch; zero: until nothing moves any more
}

// MaxClients is the most clients that can be asked about.
const MaxClients = 4096

// forever bounds a prediction without a horizon: every timer has fired by then.
const forever = time.Hour

// Result is what would happen.
type Result struct {
	Profile   string            `json:"profile"`
	Rule      string            `json:"rule"`
	Backlog   int               `json:"backlog"`
	Effective int               `json:"effective_backlog"`
	Clients   []Fate            `json:"clients"`
	Peak      backlog.Counts    `json:"peak"` // the most that was in each queue
	End       backlog.Counts    `json:"end"`  // what is left in them
	Watched   time.Duration     `json:"watched_ns"`
	Counters  map[string]uint64 `json:"counters"`
}

// Fate is what became of one client.
type Fate struct {
	Client    int            `json:"client"`       // from 1 on, in order of arrival
	SYN       handshake.Kind `json:"syn"`          // what its first SYN met with
	Reason    string         `json:"reason"`       // why
	SYNs      int            `json:"syns"`         // how many it sent
	Connected time.Duration  `json:"connected_ns"` // from connect on; negative if it never was
	View      View           `json:"view"`         // what it believes in the end
	Server    Place          `json:"server"`       // what the server has in the end
}

// Place is where the server has a connection.
type Place string

// Where the server may have it.
const (
	Nowhere    Place = "none"
	Incomplete Place = "incomplete"
	Parked     Place = "parked"
	Completed  Place = "completed"
	Accepted   Place = "accepted"
)

// promise is a common host's.
var promise = segment.Promise{MSS: 1460, Window: 64240, WindowScale: 7, HasWindowScale: true, SACKPermitted: true, Timestamps: true}

// Run predicts.
func Run(cfg Config) (Result, error) {
	if cfg.Clients < 1 || cfg.Clients > MaxClients {
		return Result{}, fmt.Errorf("%d clients: give 1 to %d", cfg.Clients, MaxClients)
	}
	s := newSimulation(cfg)
	s.run()
	return s.result(), nil
}

// simulation is a listener and its clients in virtual time.
type simulation struct {
	cfg     Config
	now     time.Duration
	machine *handshake.Machine
	clients []*client
	byTuple map[segment.Tuple]int
	fates   []Fate
	arrived int           // clients[:arrived] have sent a SYN
	accept  time.Duration // when accept is called next
	peak    backlog.Counts
	out     handshake.Output
}

func newSimulation(cfg Config) *simulation {
	s := &simulation{
		cfg: cfg,
		machine: handshake.New(handshake.Config{
			Profile: cfg.Profile, Settings: cfg.Settings, Promise4: promise, Promise6: promise,
		}),
		byTuple: make(map[segment.Tuple]int),
		accept:  cfg.Accept,
	}
	for i := range cfg.Clients {
		c := newClient(i, time.Duration(i)*cfg.Every)
		s.clients = append(s.clients, c)
		s.byTuple[c.tuple] = i
		s.fates = append(s.fates, Fate{Client: i + 1, Connected: -1, Server: Nowhere})
	}
	return s
}

// run steps from event to event.
func (s *simulation) run() {
	horizon := s.cfg.Horizon
	if horizon == 0 {
		horizon = forever
	}
	for {
		at, act := s.next()
		if act == nil || at > horizon {
			if s.cfg.Horizon != 0 {
				s.now = horizon
			}
			return
		}
		s.now = max(s.now, at)
		act()
	}
}

// next is what happens next and when.
func (s *simulation) next() (time.Duration, func()) {
	var at time.Duration
	var act func()
	sooner := func(t time.Duration, do func()) {
		if act == nil || t < at {
			at, act = t, do
		}
	}
	if t, ok := s.machine.NextDeadline(); ok {
		sooner(t, func() {
			s.machine.Tick(s.now, 1, &s.out)
			s.settle()
		})
	}
	// Those who have not arrived yet come in order: only the first matters.
	for _, c := range s.clients[:min(s.arrived+1, len(s.clients))] {
		if t, ok := c.next(); ok {
			sooner(t, func() { s.tick(c) })
		}
	}
	if s.cfg.Accept > 0 && s.machine.Completed() != nil {
		sooner(max(s.accept, s.now), func() {
			s.machine.Accept(s.now, s.machine.Completed(), &s.out)
			s.accept = s.now + s.cfg.Accept
			s.settle()
		})
	}
	return at, act
}

func (s *simulation) tick(c *client) {
	if c.syns == 0 {
		s.arrived++
	}
	if syn, ok := c.tick(s.now); ok {
		s.deliver(&syn)
	}
}

func (s *simulation) deliver(seg *segment.Segment) {
	s.machine.Segment(s.now, seg, &s.out)
	s.settle()
}

// settle notes what happened and has the clients answer what they are sent.
func (s *simulation) settle() {
	for i := range s.out.Events {
		s.note(&s.out.Events[i])
	}
	sent := append([]segment.Segment(nil), s.out.Send...)
	s.out.Reset()
	for i := range sent {
		c := s.clients[s.byTuple[sent[i].Tuple]]
		was := c.view
		answer, ok := c.receive(s.now, &sent[i])
		if was == SYNSent && c.view == Established {
			s.fates[s.byTuple[c.tuple]].Connected = s.now - c.arrives
		}
		if ok {
			s.deliver(&answer)
		}
	}
}

// note follows one client's place and the lengths of the queues.
func (s *simulation) note(e *handshake.Event) {
	s.peak.Incomplete = max(s.peak.Incomplete, e.Counts.Incomplete)
	s.peak.Completed = max(s.peak.Completed, e.Counts.Completed)
	f := &s.fates[s.byTuple[e.Tuple]]
	switch e.Kind {
	case handshake.SYNAdmitted, handshake.SYNDropped, handshake.CookieSent:
		if f.Reason == "" {
			f.SYN, f.Reason = e.Kind, e.Decision.Words(e.Counts)
		}
		if e.Kind == handshake.SYNAdmitted {
			f.Server = Incomplete
		}
	case handshake.Promoted:
		f.Server = Completed
	case handshake.Parked:
		f.Server = Parked
	case handshake.Accepted:
		f.Server = Accepted
	case handshake.Expired, handshake.Evicted, handshake.Reset, handshake.ACKReset, handshake.ACKForgotten:
		f.Server = Nowhere
	}
}

func (s *simulation) result() Result {
	counts, limits, profile := s.machine.Queues()
	for i, c := range s.clients {
		s.fates[i].SYNs, s.fates[i].View = c.syns, c.view
	}
	return Result{
		Profile: profile.Name, Rule: profile.Describe(limits), Backlog: limits.Backlog, Effective: limits.Effective,
		Clients: s.fates, Peak: s.peak, End: counts, Watched: s.now, Counters: s.machine.Counters().Map(),
	}
}
