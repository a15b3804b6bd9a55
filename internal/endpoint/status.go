package endpoint

import (
	"math"
	"net/netip"
	"os"
	"time"

	"tcplab/internal/version"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/stack"
	"tcplab/tun"
)

// Status is the state of an endpoint at one moment. It is made to be read by
// other programs as JSON; fields are added, never changed.
type Status struct {
	PID     int          `json:"pid"`
	Version string       `json:"version"` // of the program, as "tcplab version" prints it
	Started time.Time    `json:"started"`
	Dev     string       `json:"dev"`
	MTU     int          `json:"mtu"`
	Links   []LinkStatus `json:"links"`
	// Offload says that segments may be larger than the MTU and checksums are
	// left to who needs them; NoOffload why that is not so though it was wanted.
	Offload   bool   `json:"offload"`
	NoOffload string `json:"no_offload,omitempty"`

	App     string `json:"app"`
	Accept  string `json:"accept"`  // auto, off or a rate, as "tcplab set" takes it
	Workers int    `json:"workers"` // 0: any number
	WorkUS  int64  `json:"work_us"`

	Connections int `json:"connections"` // handed over, and not yet gone: those in TIME-WAIT included

	Listeners []ListenerStatus  `json:"listeners"`
	Totals    map[string]uint64 `json:"totals"` // the listeners' counters together
	Link      map[string]uint64 `json:"link"`   // the stack's counters
	Interface *tun.Stats        `json:"interface,omitempty"`
	// Changed is what somebody has changed of the interface, and how to undo it.
	Changed []string `json:"changed,omitempty"`
	// Files are what is written beside the output.
	Files []FileStatus `json:"files,omitempty"`
	// Ended is what was to be written to files and ended with an error, and which.
	Ended []string `json:"ended,omitempty"`
	// Sandbox is what holds the process of an instance; nil where there is no instance.
	Sandbox *SandboxStatus `json:"sandbox,omitempty"`
}

// SandboxStatus is what holds the process.
type SandboxStatus struct {
	On bool `json:"on"` // false with --sandbox=false
	// Missing is what the kernel cannot hold, right by right, and what the process
	// can do for that reason. Empty: nothing is missing.
	Missing []string `json:"missing"`
}

// FileStatus is a file that packets or events are written to.
type FileStatus struct {
	What    string `json:"what"` // capture, events
	Path    string `json:"path"`
	Written uint64 `json:"written"` // packets or events
	Removed uint64 `json:"removed"` // of those, in files that rotation removed
	Lost    uint64 `json:"lost"`    // missing, as they came faster than they could be written
}

// LinkStatus is a subnet between the host and the endpoint.
type LinkStatus struct {
	Host netip.Prefix `json:"host"`
	Addr netip.Addr   `json:"addr"`
}

// ListenerStatus is the state of the listener of a port.
type ListenerStatus struct {
	Addr      netip.AddrPort `json:"addr"`
	Profile   string         `json:"profile"`
	Rule      string         `json:"rule"`    // what the profile makes of the backlog, in words
	Backlog   int            `json:"backlog"` // as given to listen(2)
	Effective int            `json:"effective_backlog"`
	Somaxconn int            `json:"somaxconn"`
	// Capacity is how many entries the queues hold; -1 is no bound.
	Capacity backlog.Capacity `json:"capacity"`

	SYNTimeout    string `json:"syn_timeout"`    // a time, or "profile"
	SYNACKRetries string `json:"synack_retries"` // a number, or "profile"

	Incomplete QueueStatus       `json:"incomplete"`
	Completed  QueueStatus       `json:"completed"`
	Counters   map[string]uint64 `json:"counters"`
}

// QueueStatus is one of the two queues.
type QueueStatus struct {
	Length  int           `json:"length"`
	Entries []EntryStatus `json:"entries"` // the oldest ones first; of a long queue not all
}

// EntryStatus is a connection in a queue.
type EntryStatus struct {
	Client      netip.AddrPort `json:"client"`
	State       string         `json:"state"`  // of the connection, in the words of RFC 9293
	AgeUS       int64          `json:"age_us"` // microseconds in this queue
	Retransmits int            `json:"retransmits"`
}

// Status looks at the endpoint, which must not be closed. At most limit entries
// of each queue are listed.
func (e *Endpoint) Status(limit int) Status {
	settings := e.Settings()
	link := e.stack.Counters()
	s := Status{
		PID:         os.Getpid(),
		Version:     version.String(),
		Started:     e.started,
		Dev:         e.config.Dev,
		MTU:         e.device.MTU(),
		App:         e.config.App,
		Accept:      settings.Accept.String(),
		Workers:     e.config.Workers,
		WorkUS:      e.config.Work.Microseconds(),
		Totals:      e.Totals(),
		Connections: e.stack.Connections(),
		Link:        link.Map(),
	}
	if dev, ok := e.device.(interface{ State() (tun.State, error) }); ok {
		if state, err := dev.State(); err == nil { // else it was removed, perhaps
			s.Interface, s.Changed = state.Stats, state.Changes
		}
	}
	s.Offload, s.NoOffload = e.offload()
	for _, l := range e.config.Links {
		s.Links = append(s.Links, LinkStatus(l))
	}
	for _, l := range e.listeners {
		s.Listeners = append(s.Listeners, listenerStatus(l.Snapshot(limit), &settings))
	}
	return s
}

// offload reports whether the device has offload, and if not, why the kernel
// refused it.
func (e *Endpoint) offload() (on bool, refused string) {
	if dev, ok := e.device.(stack.Offloader); ok {
		on = dev.Offload()
	}
	if dev, ok := e.device.(interface{ Refused() error }); ok && dev.Refused() != nil {
		refused = dev.Refused().Error()
	}
	return on, refused
}

// Totals are the counters of all listeners together, by name. They can be asked
// for after Close too.
func (e *Endpoint) Totals() map[string]uint64 {
	totals := e.totals()
	return totals.Map()
}

func (e *Endpoint) totals() handshake.Counters {
	var totals handshake.Counters
	for _, l := range e.listeners {
		counters := l.Counters()
		totals.Add(&counters)
	}
	return totals
}

// listenerStatus is a listener's snapshot as Status has it.
func listenerStatus(s listener.Snapshot, settings *Settings) ListenerStatus {
	return ListenerStatus{
		Addr:          s.Addr,
		Profile:       s.Profile,
		Rule:          s.Rule,
		Backlog:       s.Backlog,
		Effective:     s.Effective,
		Somaxconn:     s.Somaxconn,
		Capacity:      s.Capacity,
		SYNTimeout:    settings.Get("syn-timeout"),
		SYNACKRetries: settings.Get("synack-retries"),
		Incomplete:    queueStatus(s.Counts.Incomplete, s.Incomplete),
		Completed:     queueStatus(s.Counts.Completed, s.Completed),
		Counters:      s.Counters,
	}
}

func queueStatus(length int, entries []listener.Queued) QueueStatus {
	q := QueueStatus{Length: length, Entries: make([]EntryStatus, len(entries))}
	for i, e := range entries {
		q.Entries[i] = EntryStatus{
			Client:      e.Client,
			State:       states[e.State],
			AgeUS:       e.Age.Microseconds(),
			Retransmits: e.Retransmits,
		}
	}
	return q
}

// states names the state of a connection by the queue that it is in.
var states = map[backlog.Place]string{
	backlog.Incomplete: "SYN-RECEIVED",
	backlog.Parked:     "ESTABLISHED, parked",
	backlog.Completed:  "ESTABLISHED",
}

// Everything is a limit for Status that leaves no entry out.
const Everything = math.MaxInt
