package handshake

// Counter names a counter. Where Linux has one for the same event, the name is
// that of nstat.
type Counter uint8

// The counters.
const (
	PassiveOpens         Counter = iota // connections that reached the completed queue
	AttemptFails                        // SYN-RECEIVED entries that went by a RST or a SYN inside the window; not those that expired, as in Linux
	OutRsts                             // RSTs sent from LISTEN and SYN-RECEIVED
	ListenOverflows                     // SYNs and final ACKs dropped at a full completed queue
	ListenDrops                         // all SYNs and final ACKs dropped by the listening socket
	TCPReqQFullDrop                     // SYNs dropped at a full incomplete queue
	TCPReqQFullDoCookies                // SYNs for which a cookie was wanted
	SyncookiesSent                      // SYN cookies sent
	SyncookiesRecv                      // valid SYN cookies that came back
	SyncookiesFailed                    // ACKs that no valid cookie stands behind
	EmbryonicRsts                       // entries that went by a RST, or a SYN inside the window
	TCPTimeouts                         // SYN-ACK timers that fired, the last one included
	TCPSynRetrans                       // SYN-ACKs sent again for whatever reason
	TCPDeferAcceptDrop                  // bare ACKs dropped while accept is deferred
	TCPACKSkippedSynRecv                // ACKs of out-of-window segments that the rate limit held back
	TCPChallengeACK                     // challenge ACKs of RFC 5961
	TCPAbortOnOverflow                  // final ACKs at a full completed queue that were answered with RST
	PAWSEstab                           // segments dropped for an old or missing timestamp in SYN-RECEIVED
	InvalidSource                       // segments from or to an address that no connection can have
	SYNsReceived                        // SYNs that reached LISTEN
	SYNsDropped                         // of those, dropped: the rest of ListenDrops are final ACKs
	SYNsRepeated                        // SYNs of entries that were there already
	Accepts                             // connections that the application took
	ExpiredEntries                      // entries given up by their timer
	EvictedEntries                      // entries that made room for newer ones
	ResetsQueued                        // connections that their client reset before accept
	AdoptionsFailed                     // connections that the TCP behind did not take
	NumCounters                         // how many there are
)

var counterNames = [NumCounters]string{
	"PassiveOpens", "AttemptFails", "OutRsts", "ListenOverflows", "ListenDrops",
	"TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed",
	"EmbryonicRsts", "TCPTimeouts", "TCPSynRetrans", "TCPDeferAcceptDrop", "TCPACKSkippedSynRecv", "TCPChallengeACK",
	"TCPAbortOnOverflow", "PAWSEstab", "InvalidSource", "SYNsReceived", "SYNsDropped", "SYNsRepeated", "Accepts",
	"Expired", "Evicted", "ResetsQueued", "AdoptionsFailed",
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

// Add adds the values of other.
func (c *Counters) Add(other *Counters) {
	for i, value := range other {
		c[i] += value
	}
}
