package listener

import (
	"net/netip"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Snapshot is the state of a listener at one moment.
type Snapshot struct {
	Addr       netip.AddrPort    `json:"addr"`
	Profile    string            `json:"profile"`
	Rule       string            `json:"rule"` // what the profile makes of the backlog, in words
	Backlog    int               `json:"backlog"`
	Effective  int               `json:"effective_backlog"`
	Somaxconn  int               `json:"somaxconn"`
	Capacity   backlog.Capacity  `json:"capacity"`
	Counts     backlog.Counts    `json:"counts"`
	Incomplete []Queued          `json:"incomplete"`
	Completed  []Queued          `json:"completed"`
	Counters   map[string]uint64 `json:"counters"`
}

// Queued is a connection in one of the queues.
type Queued struct {
	Client      netip.AddrPort `json:"client"`
	State       backlog.Place  `json:"state"`
	Age         time.Duration  `json:"age_ns"` // since it came to the queue that it is in
	Retransmits int            `json:"retransmits"`
	// Timer is the time until the entry's SYN-ACK timer fires; zero if none runs.
	Timer time.Duration `json:"timer_ns"`
	Tuple segment.Tuple `json:"-"`
}

// Snapshot looks at the listener. At most limit entries of each queue are
// listed, oldest first; the counts are those of the whole queues.
func (l *Listener) Snapshot(limit int) Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	counts, limits, profile := l.machine.Queues()
	s := Snapshot{
		Addr:       addrPort(l.port.Addr()),
		Profile:    profile.Name,
		Rule:       profile.Describe(limits),
		Backlog:    limits.Backlog,
		Effective:  limits.Effective,
		Somaxconn:  limits.Somaxconn,
		Capacity:   profile.Capacity(limits),
		Counts:     counts,
		Incomplete: []Queued{},
		Completed:  []Queued{},
		Counters:   l.machine.Counters().Map(),
	}
	l.machine.Oldest(limit, func(e *handshake.Entry) {
		list := &s.Incomplete
		if e.Place() == backlog.Completed {
			list = &s.Completed
		}
		queued := Queued{
			Client: e.Value.Tuple.Client(), State: e.Place(),
			Age: now - e.Since, Retransmits: e.Retransmits(), Tuple: e.Value.Tuple,
		}
		if e.Place() == backlog.Incomplete {
			queued.Timer = max(e.Value.Deadline()-now, 0)
		}
		*list = append(*list, queued)
	})
	return s
}
