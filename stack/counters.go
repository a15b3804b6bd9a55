package stack

import "sync/atomic"

// Counter names what the link counts.
type Counter uint8

// The counters.
const (
	PacketsIn            Counter = iota // packets read from the device
	PacketsOut                          // packets written to it
	InHdrErrors                         // malformed IP packets, dropped
	InTCPErrors                         // malformed TCP segments for an open port, dropped
	InCsumErrors                        // of those, wrong TCP checksums
	TCPFragments                        // IP fragments of TCP segments, dropped
	NotOurs                             // TCP segments to an address that is not ours, dropped
	OutErrors                           // packets that the device did not take
	Adoptions                           // connections handed to netstack
	AdoptionsFailed                     // of those, not taken in time
	AdoptionOverflows                   // segments dropped while their connection was being adopted
	TimeWaitReuses                      // SYNs that reopened a connection in TIME-WAIT
	SYNACKsHeld                         // SYN-ACKs of netstack's that were not sent, as the listener had sent its own
	UnaskedSYNACKs                      // SYN-ACKs of netstack's that no adoption asked for, not sent: a bug
	UnaskedSegments                     // other segments from an open port for no known connection, not sent
	OrphanedTranslations                // translations found without an endpoint by the sweep: a bug
	NumCounters
)

var counterNames = [NumCounters]string{
	"PacketsIn", "PacketsOut", "InHdrErrors", "InTCPErrors", "InCsumErrors", "TCPFragments", "NotOurs", "OutErrors",
	"Adoptions", "AdoptionsFailed", "AdoptionOverflows", "TimeWaitReuses",
	"SYNACKsHeld", "UnaskedSYNACKs", "UnaskedSegments", "OrphanedTranslations",
}

// String is the counter's name.
func (c Counter) String() string { return counterNames[c] }

// Counters are the values of all counters since the start.
type Counters [NumCounters]uint64

// Map returns the counters by name.
func (c *Counters) Map() map[string]uint64 {
	byName := make(map[string]uint64, NumCounters)
	for i, value := range c {
		byName[counterNames[i]] = value
	}
	return byName
}

// counters are the live values.
type counters [NumCounters]atomic.Uint64

func (c *counters) add(which Counter) { c[which].Add(1) }

func (c *counters) read() Counters {
	var values Counters
	for i := range c {
		values[i] = c[i].Load()
	}
	return values
}
