package watch

import (
	"fmt"
	"net/netip"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// noon is when scenes begin.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// scene is an instance made up for tests.
type scene struct {
	profile               *backlog.Profile
	settings              backlog.Settings
	accept                string
	incomplete, completed int
	ports                 []uint16
	counters              map[string]uint64
	hosts                 int // of clients; 0 is one
	parked                bool
}

// status is the scene as an instance tells it.
func (s *scene) status() endpoint.Status {
	if s.settings.Somaxconn == 0 {
		s.settings.Somaxconn, s.settings.MaxSynBacklog, s.settings.Syncookies = 4096, 2048, 1
	}
	limits := s.profile.Limits(s.settings)
	ports := s.ports
	if ports == nil {
		ports = []uint16{80}
	}
	status := endpoint.Status{
		PID: 4711, Started: noon, Dev: "tcplab0", App: "http", Accept: s.accept,
		Links: []endpoint.LinkStatus{{Addr: netip.MustParseAddr("192.0.2.2")}, {Addr: netip.MustParseAddr("2001:db8:77::2")}},
	}
	for _, port := range ports {
		status.Listeners = append(status.Listeners, endpoint.ListenerStatus{
			Addr: netip.AddrPortFrom(status.Links[0].Addr, port), Profile: s.profile.Name, Rule: s.profile.Describe(limits),
			Backlog: s.settings.Backlog, Effective: limits.Effective, Somaxconn: s.settings.Somaxconn, Capacity: s.profile.Capacity(limits),
			Incomplete: s.queue(s.incomplete, 50000, "SYN-RECEIVED"), Completed: s.queue(s.completed, 40000, "ESTABLISHED"),
			Counters: s.counters,
		})
	}
	return status
}

func (s *scene) queue(length, port int, state string) endpoint.QueueStatus {
	q := endpoint.QueueStatus{Length: length}
	for n := range min(length, listEntries) {
		e := endpoint.EntryStatus{Client: client(port+n, n%max(s.hosts, 1)), State: state, AgeUS: int64(length-n) * 1_300_000}
		if state == "SYN-RECEIVED" {
			e.Retransmits = max(3-n, 0)
			if s.parked && n == 0 {
				e.State = parked
			}
		}
		q.Entries = append(q.Entries, e)
	}
	return q
}

func client(port, host int) netip.AddrPort {
	return netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:%d", 1+2*host, port))
}

// event is one of client number n, so long after the beginning.
func (s *scene) event(after time.Duration, kind handshake.Kind, words, reason string, n int) *events.Record {
	return &events.Record{
		Time: noon.Add(after), Kind: kind.String(), Event: words, Reason: reason,
		Client: client(n, 0), Server: netip.MustParseAddrPort("192.0.2.2:80"),
		Incomplete: s.incomplete, Completed: s.completed, Profile: s.profile.Name, Backlog: s.settings.Backlog,
	}
}

// model is a view of the scene, a minute after its beginning, with some history.
func (s *scene) model(width, height int) *Model {
	m := NewModel("tcplab0", width, height)
	s.counters = map[string]uint64{}
	for second := range 60 {
		s.counters["SYNsReceived"] += uint64(second % 7 * second)
		s.counters["ListenDrops"] += uint64(second % 7 * max(second-40, 0))
		s.counters["Accepts"] += uint64(second % 3)
		m.Status(s.status(), noon.Add(time.Duration(second)*time.Second))
	}
	for n := range 3 {
		m.Event(s.event(time.Duration(50+n)*time.Second, handshake.SYNAdmitted, "SYN admitted", "incomplete 1, completed 9", 40010+n))
	}
	m.Event(s.event(53*time.Second, handshake.Promoted, "promoted", "incomplete 0, completed 10", 40012))
	for n := range 20 {
		reason := fmt.Sprintf("13 of 13 queued (incomplete %d, completed %d), %s, backlog %d", s.incomplete, s.completed, s.profile.Name, s.settings.Backlog)
		m.Event(s.event(54*time.Second, handshake.SYNDropped, "SYN dropped", reason, 40013+n))
	}
	m.Event(s.event(59*time.Second, handshake.Accepted, "accepted", "waited 4.2s", 40000))
	return m
}

// full13 is bsd with backlog 8, full.
func full13() *scene {
	return &scene{profile: profiles.BSD, settings: withBacklog(8), accept: off, incomplete: 4, completed: 9}
}

func withBacklog(n int) backlog.Settings {
	return backlog.Settings{Backlog: n, Somaxconn: 4096, MaxSynBacklog: 2048, Syncookies: 1}
}
