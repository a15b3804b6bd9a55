package stack

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// Counter names what the link counts.
type Counter uint8

// The counters.
const (
	PacketsIn            Counter = iota // packets read from the device
	PacketsOut                          // packets written to it
	PacketsIn6                          // of those read, IPv6
	PacketsOut6                         // of those written, IPv6
	InSegs                              // TCP segments to an address of ours, malformed ones too
	OutSegs                             // TCP segments written to the device
	OutRsts                             // of those, with RST
	InHdrErrors                         // malformed IP packets, dropped
	InOffloadErrors                     // packets whose offload header does not fit them, dropped
	InTCPErrors                         // malformed TCP segments for an open port, dropped
	InCsumErrors                        // of those, wrong TCP checksums
	UDPCsumErrors                       // UDP datagrams with a wrong checksum, dropped
	TCPFragments                        // IPv6 fragments of TCP segments, dropped
	ReasmReqds                          // IPv4 fragments of TCP segments
	ReasmOKs                            // TCP segments put together of them
	ReasmFails                          // those given up, and fragments that are none
	NotOurs                             // TCP segments to an address that is not ours, dropped
	InvalidSources                      // packets from an address of ours, for no open port, dropped
	OutErrors                           // packets that the device did not take
	Adoptions                           // connections handed to netstack
	AdoptionsFailed                     // of those, not taken in time
	AdoptionRetries                     // adoptions begun again, as netstack had lost the connection
	AdoptionOverflows                   // segments dropped while their connection was being adopted
	TimeWaitReuses                      // SYNs that reopened a connection in TIME-WAIT
	ChallengeACKs                       // ACKs asked of netstack for what an established connection does not believe
	ACKsSkippedChallenge                // challenge ACKs that the rate limit held back
	OutOfWindowICMPs                    // ICMP errors about TCP segments that are not under way, dropped
	ACKsSkippedTimeWait                 // ACKs of old SYNs in TIME-WAIT that the rate limit held back
	SYNACKsHeld                         // SYN-ACKs of netstack's that were not sent, as the listener had sent its own
	UnaskedSYNACKs                      // SYN-ACKs of netstack's that no adoption asked for, not sent: a bug
	StrayResets                         // RSTs of netstack's for what an ended connection had not read, not sent
	UnaskedSegments                     // other segments from an open port for no known connection, not sent: a bug
	OrphanedTranslations                // translations found without an endpoint by the sweep: a bug
	AbortsOnTimeout                     // connections ended because their client did nothing any more
	KeepaliveProbes                     // keepalive probes sent
	MemoryPressures                     // times that the connections' memory came under pressure

	// Netstack's own, of the connections that it has adopted and of closed ports.
	EstabResets        // connections that went from ESTABLISHED or CLOSE-WAIT to CLOSED
	RetransSegs        // segments sent again
	Timeouts           // retransmission timers that fired
	FastRetrans        // segments sent again in fast recovery
	SackRecoveries     // times that SACK recovery began
	NetstackErrors     // segments that it could not parse
	NetstackCsumErrors // segments with a wrong TCP checksum
	NumCounters
)

var counterNames = [NumCounters]string{
	"PacketsIn", "PacketsOut", "PacketsIn6", "PacketsOut6", "InSegs", "OutSegs", "OutRsts",
	"InHdrErrors", "InOffloadErrors", "InTCPErrors", "InCsumErrors", "UDPCsumErrors", "TCPFragments", "ReasmReqds", "ReasmOKs", "ReasmFails", "NotOurs", "InvalidSources", "OutErrors",
	"Adoptions", "AdoptionsFailed", "AdoptionRetries", "AdoptionOverflows", "TimeWaitReuses", "ChallengeACKs", "ACKsSkippedChallenge", "OutOfWindowICMPs", "ACKsSkippedTimeWait",
	"SYNACKsHeld", "UnaskedSYNACKs", "StrayResets", "UnaskedSegments", "OrphanedTranslations",
	"AbortsOnTimeout", "KeepaliveProbes", "MemoryPressures",
	"EstabResets", "RetransSegs", "Timeouts", "FastRetrans", "SackRecoveries", "NetstackErrors", "NetstackCsumErrors",
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

// read reads the link's counters, those of netstack's left out.
func (c *counters) read() Counters {
	var values Counters
	for i := range c {
		values[i] = c[i].Load()
	}
	return values
}

// addNetstack fills in netstack's counters.
func (c *Counters) addNetstack(stats tcpip.TCPStats) {
	for which, counter := range map[Counter]*tcpip.StatCounter{
		EstabResets:        stats.EstablishedResets,
		RetransSegs:        stats.Retransmits,
		Timeouts:           stats.Timeouts,
		FastRetrans:        stats.FastRetransmit,
		SackRecoveries:     stats.SACKRecovery,
		NetstackErrors:     stats.InvalidSegmentsReceived,
		NetstackCsumErrors: stats.ChecksumErrors,
	} {
		c[which] = counter.Value()
	}
}
