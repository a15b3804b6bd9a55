package backlog

import "time"

// Counts are the lengths of the two queues.
type Counts struct {
	Incomplete int `json:"incomplete"` // SYN-RECEIVED, and parked ones
	Completed  int `json:"completed"`  // ESTABLISHED, waiting for accept
	Young      int `json:"young"`      // incomplete entries whose SYN-ACK was sent only once
}

// Total is the length of both queues together.
func (c Counts) Total() int { return c.Incomplete + c.Completed }

// Settings are what the caller of listen(2) and the administrator set. The
// names are the kernel's.
type Settings struct {
	Backlog   int // as given to listen(2); negative and zero as the profile says
	Somaxconn int // net.core.somaxconn, what a backlog is clamped to; must be positive

	// The switches of Linux, and of the profiles that say so.
	MaxSynBacklog   int  // net.ipv4.tcp_max_syn_backlog; must be positive
	Syncookies      int  // net.ipv4.tcp_syncookies: 0 never, 1 at a full incomplete queue, 2 always
	AbortOnOverflow bool // net.ipv4.tcp_abort_on_overflow: RST for a final ACK at a full completed queue
	DeferAccept     int  // TCP_DEFER_ACCEPT in SYN-ACK timeouts: so long a bare ACK completes nothing; 0 is off
}

// Limits are Settings after the profile's clamp.
type Limits struct {
	Settings
	Effective int // the backlog b that the rules use
}

// Rule decides from the queues' lengths and limits.
type Rule func(Counts, Limits) Decision

// Schedule is when an unanswered SYN-ACK is sent again, and when its entry is
// given up.
type Schedule struct {
	// Retransmit are the times after the first SYN-ACK at which it is sent
	// again, ascending.
	Retransmit []time.Duration
	// Expire is the time after the first SYN-ACK at which the entry goes.
	Expire time.Duration
	// Doubles says that the waits double, and that the entry goes when the one
	// after the last retransmission is over: more retransmissions, later expiry.
	// Otherwise Expire is a timer of its own.
	Doubles bool
	// ResetOnExpire sends RST|ACK to the client of an expired entry.
	ResetOnExpire bool
}

// Repeat is what a SYN that comes again for a half-open entry does besides
// having the SYN-ACK sent again.
type Repeat struct {
	Restart  bool          // the timer of this stage starts anew
	Renew    bool          // the entry begins with its first stage again
	Interval time.Duration // at most one answer in this time; zero is no limit
}

// Profile is the behaviour of one operating system's listening sockets.
// Profiles are shared and never written to.
type Profile struct {
	Name    string
	Systems string   // which systems and versions behave so
	Rule    string   // the rule in a sentence
	Sources []string // where the rule was read or measured

	// Clamp makes the effective backlog of what listen(2) was given.
	Clamp func(Settings) int
	// Describe says what the profile makes of a backlog, in words and numbers.
	Describe func(Limits) string

	AtSYN      Rule
	AtFinalACK Rule
	// AtReopen is the rule for a SYN that opens a new connection on the tuple of
	// one in TIME-WAIT. Nil: AtSYN.
	AtReopen Rule

	Schedule Schedule
	Repeat   Repeat

	// Patience is how many of an entry's scheduled retransmissions it gets, given
	// how full the queues are at its timer. Nil: all of them.
	Patience func(scheduled int, c Counts, l Limits) int
	// Cookies says that the profile's rules may ask for SYN cookies.
	Cookies bool
	// Defers says that the profile knows TCP_DEFER_ACCEPT.
	Defers bool

	// KeepReset leaves a connection that its client reset in the completed
	// queue, for accept to return it (UNP section 5.11).
	KeepReset bool
	// ResetOnClose sends a RST to the clients of half-open entries when the
	// listening socket is closed.
	ResetOnClose bool
}

// Limits applies the profile's clamp.
func (p *Profile) Limits(s Settings) Limits {
	return Limits{Settings: s, Effective: p.Clamp(s)}
}

// MaxRetries is the most SYN-ACK retransmissions that can be asked for (the
// range of net.ipv4.tcp_synack_retries is larger, but nobody waits that long:
// 1 s doubled 16 times is 18 hours).
const MaxRetries = 16

// WithRetries is the schedule with n retransmissions: cut, or continued with
// waits that double. The expiry moves with the last one if it depends on it, or
// has to.
func (s Schedule) WithRetries(n int) Schedule {
	last, wait := time.Duration(0), time.Second // RFC 6298 section 2.1
	var times []time.Duration
	for k := range n + 1 {
		if k < len(s.Retransmit) {
			wait = s.Retransmit[k] - last
		} else if k > 0 {
			wait *= 2
		}
		if k < n {
			last += wait
			times = append(times, last)
		}
	}
	s.Retransmit = times
	if s.Doubles || s.Expire <= last {
		s.Expire = last + wait
	}
	return s
}
