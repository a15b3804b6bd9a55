package ui

import (
	"context"
	"net/http"
	"sync"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/trace"
)

// Instance is what a page shows and controls. *endpoint.Endpoint implements it.
type Instance interface {
	Status(limit int) endpoint.Status
	Accept(ctx context.Context, n int) (endpoint.Taken, error)
	Set(changes map[string]string) error
	Subscribe(size int, kinds events.Kinds) *events.Subscription
	Trace(size, snaplen int) *trace.Subscription
}

const (
	gatherEvery = 100 * time.Millisecond // how often what happened is gathered …
	tellEvery   = 2                      // … and every how many times it is told

	eventRing    = 8192 // events between two gatherings
	packetRing   = 8192 // likewise
	snaplen      = 256  // bytes of a packet that are looked at, and kept for the capture
	entriesShown = 200  // of each queue
	eventsShown  = 30   // in a frame
	recentShown  = 100  // events in a hello
	samplesKept  = 600  // two minutes
)

// Server is the page of an instance.
type Server struct {
	instance Instance
	handler  http.Handler
	stop     chan struct{} // closed by Close
	stopOnce sync.Once
	stopped  chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex // guards the following
	history history
	packets packets
	unseen  uint64         // packets that could not be gathered
	waiting []events.Event // gathered, not told yet
	lost    uint64         // events that could not be gathered, not told yet
	recent  []events.Event // the last recentShown that were told
	samples []Sample
	before  []counts // at the last sample
	clients map[*client]bool
	closed  bool
}

// New begins to watch an instance. End it with Close, before the instance ends.
func New(instance Instance) *Server {
	s := &Server{
		instance: instance,
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
		clients:  make(map[*client]bool),
	}
	s.handler = s.routes()
	status := instance.Status(0)
	_, s.before = newSample(time.Now(), &status, nil)
	go s.watch(instance.Subscribe(eventRing, 0), instance.Trace(packetRing, snaplen))
	return s
}

// ServeHTTP answers a request that webguard allowed.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close says goodbye to the pages and ends their streams.
func (s *Server) Close() {
	s.stopOnce.Do(func() { close(s.stop) })
	<-s.stopped
}

// watch gathers and tells until Close.
func (s *Server) watch(happened *events.Subscription, passed *trace.Subscription) {
	defer close(s.stopped)
	defer happened.Close()
	defer passed.Close()
	tick := time.NewTicker(gatherEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case now := <-tick.C:
			s.mu.Lock()
			s.gatherPacketsLocked(passed)
			s.gatherEventsLocked(happened)
			if n%tellEvery == 0 {
				s.tellLocked(now)
			}
			s.mu.Unlock()
		case <-s.stop:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.closed = true
			for c := range s.clients {
				close(c.mailbox)
			}
			clear(s.clients)
			return
		}
	}
}

// gatherPacketsLocked takes the packets that wait.
func (s *Server) gatherPacketsLocked(passed *trace.Subscription) {
	for range passed.Waiting() {
		p, err := passed.Next(context.Background())
		if err != nil {
			return
		}
		s.unseen += p.Lost
		s.history.packet(p.Time, p.Inbound, p.Data, p.Length)
		s.packets.add(&p)
	}
}

// gatherEventsLocked takes the events that wait.
func (s *Server) gatherEventsLocked(happened *events.Subscription) {
	for range happened.Waiting() {
		e, err := happened.Next(context.Background())
		if err != nil {
			return
		}
		s.lost += e.Lost
		s.history.event(&e.Event)
		s.waiting = append(s.waiting, e)
	}
}

// tellLocked takes a sample and sends all pages a frame.
func (s *Server) tellLocked(now time.Time) {
	limit := 0
	if len(s.clients) > 0 {
		limit = entriesShown
	}
	status := s.instance.Status(limit)
	sample, after := newSample(now, &status, s.before)
	s.before = after
	if len(s.samples) == samplesKept {
		s.samples = append(s.samples[:0], s.samples[1:]...)
	}
	s.samples = append(s.samples, sample)

	shown, hidden := choose(s.waiting, eventsShown)
	s.recent = append(s.recent, shown...)
	if more := len(s.recent) - recentShown; more > 0 {
		s.recent = append(s.recent[:0], s.recent[more:]...)
	}
	if len(s.clients) > 0 {
		frame := s.frameLocked(now, &status, sample)
		frame.Events, frame.Hidden, frame.Lost = records(shown), hidden, s.lost
		frame.Connections = s.history.summaries(false)
		s.sendLocked(message("frame", frame, len(s.waiting)))
	}
	s.waiting, s.lost = s.waiting[:0], 0
}

// frameLocked is a frame without events and connections.
func (s *Server) frameLocked(now time.Time, status *endpoint.Status, sample Sample) Frame {
	f := Frame{Time: now.UTC(), Accept: status.Accept, Sample: sample, Unseen: s.unseen, Events: []events.Record{}}
	for i := range status.Listeners {
		f.Ports = append(f.Ports, PortStatus{status.AddrsText(i), status.Listeners[i]})
	}
	return f
}

// records are events as they are shown.
func records(list []events.Event) []events.Record {
	shown := make([]events.Record, len(list))
	for i := range list {
		shown[i] = events.NewRecord(&list[i])
		shown[i].Lost = 0 // the frame says how many
	}
	return shown
}
