package profiles

import (
	"fmt"
	"math"
	"time"

	"tcplab/listener/backlog"
)

// invalidRatelimit is how often Linux answers a SYN that comes again
// (net.ipv4.tcp_invalid_ratelimit).
const invalidRatelimit = 500 * time.Millisecond

// Linux is the current Linux kernel.
var Linux = &backlog.Profile{
	Name:    "linux",
	Systems: "Linux 5.x, 6.x",
	Rule: "a SYN is dropped when completed > backlog, or incomplete > backlog without SYN cookies; " +
		"a final ACK is ignored when completed > backlog",
	Sources: []string{
		"Linux 6.18 net/ipv4/tcp_input.c tcp_conn_request, tcp_minisocks.c tcp_check_req, inet_connection_sock.c reqsk_timer_handler",
		"measured on Linux 6.18",
	},
	Clamp: clampUnsigned,
	Describe: func(l backlog.Limits) string {
		incomplete := fmt.Sprintf("incomplete <= %d", bPlus1(l))
		switch {
		case l.Syncookies == 2:
			incomplete = "SYN cookies always"
		case l.Syncookies == 1:
			incomplete += ", SYN cookies beyond"
		case unproven(l) < bPlus1(l):
			incomplete = fmt.Sprintf("incomplete <= %d, three quarters of max_syn_backlog %d and one", unproven(l), l.MaxSynBacklog)
		}
		return fmt.Sprintf("completed <= %d, that is %d+1; %s", bPlus1(l), l.Effective, incomplete)
	},
	AtSYN:      atConnRequest,
	AtFinalACK: atSynRecvSock,
	AtReopen:   atTimeWaitISN,
	Schedule:   doubling(time.Second, 5),
	Repeat:     backlog.Repeat{Restart: true, Interval: invalidRatelimit},
	Patience:   patience,
	Cookies:    true,
	Defers:     true,
	KeepReset:  true,
}

// atConnRequest decides in the order of tcp_conn_request.
func atConnRequest(c backlog.Counts, l backlog.Limits) backlog.Decision {
	incompleteFull := c.Incomplete > l.Effective
	cookie := l.Syncookies == 2 || incompleteFull
	if cookie && l.Syncookies == 0 {
		return backlog.Decision{Verdict: backlog.Drop, Reason: backlog.IncompleteFull, Have: c.Incomplete, Bound: bPlus1(l)}
	}
	if c.Completed > l.Effective {
		return backlog.Decision{Verdict: backlog.Drop, Reason: backlog.CompletedFull, Have: c.Completed, Bound: bPlus1(l), Cookie: cookie}
	}
	switch {
	case l.Syncookies == 2:
		return backlog.Decision{Verdict: backlog.Cookie, Reason: backlog.AlwaysCookies, Have: c.Incomplete, Cookie: true}
	case incompleteFull:
		return backlog.Decision{Verdict: backlog.Cookie, Reason: backlog.IncompleteFull, Have: c.Incomplete, Bound: bPlus1(l), Cookie: true}
	case l.Syncookies == 0 && c.Incomplete >= unproven(l):
		return backlog.Decision{Verdict: backlog.Drop, Reason: backlog.KeptForProven, Have: c.Incomplete, Bound: unproven(l)}
	}
	return backlog.Decision{Verdict: backlog.Admit, Have: c.Incomplete, Bound: bPlus1(l)}
}

// atTimeWaitISN is atConnRequest where a connection in TIME-WAIT has left an
// initial sequence number (tcp_tw_isn): neither the incomplete queue's limits
// nor SYN cookies apply, the completed queue's does.
func atTimeWaitISN(c backlog.Counts, l backlog.Limits) backlog.Decision {
	if c.Completed > l.Effective {
		return backlog.Decision{Verdict: backlog.Drop, Reason: backlog.CompletedFull, Have: c.Completed, Bound: bPlus1(l)}
	}
	return backlog.Decision{Verdict: backlog.Admit, Reason: backlog.TimeWait, Have: c.Incomplete}
}

// unproven is how many half-open entries of peers that were never seen before
// fit without SYN cookies: the kernel drops when max_syn_backlog - incomplete <
// max_syn_backlog / 4.
func unproven(l backlog.Limits) int { return l.MaxSynBacklog - l.MaxSynBacklog>>2 + 1 }

// atSynRecvSock ignores the final ACK at a full completed queue: the client
// believes that it is connected (tcp_v4_syn_recv_sock, tcp_check_req).
func atSynRecvSock(c backlog.Counts, l backlog.Limits) backlog.Decision {
	verdict := backlog.Drop
	if l.AbortOnOverflow {
		verdict = backlog.Reset
	}
	return promoteBelow(bPlus1, verdict)(c, l)
}

// patience cuts the retransmissions of old entries toward 2 while they clog the
// queue and young ones are few (reqsk_timer_handler).
func patience(scheduled int, c backlog.Counts, l backlog.Limits) int {
	if 2*c.Incomplete <= max(8, l.Effective) {
		return scheduled
	}
	for young := 2 * c.Young; scheduled > 2 && c.Incomplete >= young; young *= 2 {
		scheduled--
	}
	return scheduled
}

// Linux26 is Linux 2.6 to 4.9.
var Linux26 = &backlog.Profile{
	Name:    "linux-2.6",
	Systems: "Linux 2.6 to 4.9",
	Rule: "a SYN is dropped when completed > backlog and more than one young entry is incomplete, or the SYN queue is full; " +
		"a final ACK is ignored when completed > backlog",
	Sources: []string{"Linux 2.6 net/ipv4/tcp_ipv4.c tcp_v4_conn_request, net/core/request_sock.c reqsk_queue_alloc"},
	Clamp:   clampUnsigned,
	Describe: func(l backlog.Limits) string {
		return fmt.Sprintf("completed <= %d, that is %d+1, and 2 young entries more; incomplete <= %d", bPlus1(l), l.Effective, synQueue26(l))
	},
	AtSYN: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		return youngRule(c, l, synQueue26(l))
	},
	AtFinalACK: atSynRecvSock,
	AtReopen:   youngReopen,
	Schedule:   doubling(3*time.Second, 5), // TCP_TIMEOUT_INIT until 3.1
	Repeat:     backlog.Repeat{},
	Patience:   patience,
	Cookies:    true,
	Defers:     true,
	KeepReset:  true,
}

// synQueue26 is the size of the SYN queue: the backlog, at least 8 and at most
// max_syn_backlog, rounded up to the power of two above it.
func synQueue26(l backlog.Limits) int {
	entries := max(min(l.Effective, l.MaxSynBacklog), 8)
	size := 1
	for size <= entries {
		size *= 2
	}
	return size
}

// Linux24 is Linux 2.4.
var Linux24 = &backlog.Profile{
	Name:    "linux-2.4",
	Systems: "Linux 2.4.7",
	Rule: "a SYN is dropped when completed > backlog and more than one young entry is incomplete; " +
		"a final ACK is ignored when completed > backlog",
	Sources: []string{
		"Linux 2.4.7 net/ipv4/tcp_ipv4.c tcp_v4_conn_request, tcp_v4_syn_recv_sock",
		"Stevens, UNIX Network Programming vol. 1, 3rd ed., figure 4.10",
	},
	Clamp: clampUnsigned,
	Describe: func(l backlog.Limits) string {
		return fmt.Sprintf("completed <= %d, that is %d+1, and 2 young entries more; incomplete <= %d", bPlus1(l), l.Effective, l.MaxSynBacklog)
	},
	AtSYN: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		return youngRule(c, l, l.MaxSynBacklog)
	},
	AtFinalACK: atSynRecvSock,
	AtReopen:   youngReopen,
	Schedule:   doubling(3*time.Second, 5),
	Patience:   patience,
	Cookies:    true,
	Defers:     true,
	KeepReset:  true,
}

// youngRule lets a SYN in at a full completed queue as long as at most one
// entry is young: it may be accepted by the time its handshake is done.
func youngRule(c backlog.Counts, l backlog.Limits, synQueue int) backlog.Decision {
	d := backlog.Decision{Verdict: backlog.Admit, Have: c.Incomplete, Bound: synQueue}
	full := c.Incomplete >= synQueue
	if full && l.Syncookies == 0 {
		d.Verdict, d.Reason = backlog.Drop, backlog.IncompleteFull
		return d
	}
	if c.Completed > l.Effective && c.Young > 1 {
		return backlog.Decision{Verdict: backlog.Drop, Reason: backlog.CompletedFull, Have: c.Completed, Bound: bPlus1(l), Cookie: full}
	}
	if full {
		d.Verdict, d.Reason, d.Cookie = backlog.Cookie, backlog.IncompleteFull, true
	}
	return d
}

// youngReopen is youngRule for a SYN that reopens a connection in TIME-WAIT: the
// incomplete queue holds it back no more than in atTimeWaitISN.
func youngReopen(c backlog.Counts, l backlog.Limits) backlog.Decision {
	d := youngRule(c, l, math.MaxInt)
	if d.Verdict == backlog.Admit {
		d.Reason, d.Bound = backlog.TimeWait, 0
	}
	return d
}

// DeferTimeouts is how many SYN-ACK timeouts make up the time that
// TCP_DEFER_ACCEPT is set to (secs_to_retrans): 1 s is one, 3 s are two.
func DeferTimeouts(d time.Duration) int {
	const most = 120 * time.Second // TCP_RTO_MAX
	timeouts, wait, sum := 0, time.Second, time.Duration(0)
	for sum < d && timeouts < 255 {
		timeouts++
		sum += wait
		wait = min(2*wait, most)
	}
	return timeouts
}
