package ui

import (
	"net/netip"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
)

// Hello is the first message to a page: all that it needs to begin.
type Hello struct {
	PID      int             `json:"pid"`
	Started  time.Time       `json:"started"`
	Dev      string          `json:"dev"`
	MTU      int             `json:"mtu"`
	App      string          `json:"app"`
	Profiles []ProfileText   `json:"profiles"` // that "set" takes
	Samples  []Sample        `json:"samples"`  // the oldest one first
	Recent   []events.Record `json:"recent"`   // events, the oldest one first
	Frame    Frame           `json:"frame"`    // the state now
}

// ProfileText is a profile in words.
type ProfileText struct {
	Name    string `json:"name"`
	Systems string `json:"systems"`
	Rule    string `json:"rule"`
}

// Frame is the state at one moment, and what happened since the last one.
type Frame struct {
	Time   time.Time    `json:"time"`
	Accept string       `json:"accept"` // auto, off or a rate
	Ports  []PortStatus `json:"ports"`
	// Sample is the newest point of the chart.
	Sample Sample `json:"sample"`

	Events []events.Record `json:"events"` // the oldest one first; of many, some of each kind
	Hidden int             `json:"hidden"` // how many more there were
	Lost   uint64          `json:"lost"`   // and how many came too fast to be looked at

	// Connections are the recent ones, the newest one first; null means as
	// before.
	Connections []Summary `json:"connections"`
	Unseen      uint64    `json:"unseen"` // packets since the start that came too fast to be looked at
}

// PortStatus is a listener, with all addresses that it listens at. Of long
// queues not all entries are listed.
type PortStatus struct {
	Addrs string `json:"addrs"`
	endpoint.ListenerStatus
}

// Sample is a point of the chart, one value a listener.
type Sample struct {
	Time       int64    `json:"time"` // milliseconds since 1970
	Incomplete []int    `json:"incomplete"`
	Completed  []int    `json:"completed"`
	Bound      []int    `json:"bound"`    // entries that both queues hold, or the completed one where each has its own; -1 is none
	Dropped    []uint64 `json:"dropped"`  // SYNs and final ACKs since the sample before
	Accepted   []uint64 `json:"accepted"` // likewise
}

// Lost says what a page was too slow for.
type Lost struct {
	Frames int `json:"frames"`
	Events int `json:"events"`
}

// Summary is a connection in the list.
type Summary struct {
	ID      uint64         `json:"id"`
	Client  netip.AddrPort `json:"client"`
	Server  netip.AddrPort `json:"server"`
	State   State          `json:"state"`
	Began   time.Time      `json:"began"`
	Version uint64         `json:"version"` // grows with each step of the ladder
	Drops   int            `json:"drops"`   // segments of its handshake that were dropped
}

// newSample looks at the listeners; before are their counters at the sample
// before.
func newSample(now time.Time, s *endpoint.Status, before []counts) (Sample, []counts) {
	sample := Sample{Time: now.UnixMilli()}
	after := make([]counts, len(s.Listeners))
	for i := range s.Listeners {
		l := &s.Listeners[i]
		after[i] = counts{dropped: l.Counters["ListenDrops"], accepted: l.Counters["Accepts"]}
		var since counts
		if i < len(before) {
			since = before[i]
		}
		bound := l.Capacity.Together
		if bound < 0 {
			bound = l.Capacity.Completed
		}
		sample.Incomplete = append(sample.Incomplete, l.Incomplete.Length)
		sample.Completed = append(sample.Completed, l.Completed.Length)
		sample.Bound = append(sample.Bound, bound)
		sample.Dropped = append(sample.Dropped, after[i].dropped-since.dropped)
		sample.Accepted = append(sample.Accepted, after[i].accepted-since.accepted)
	}
	return sample, after
}

// counts are the counters that the chart shows.
type counts struct{ dropped, accepted uint64 }
