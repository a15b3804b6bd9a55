package profiles

import (
	"fmt"
	"time"

	"tcplab/listener/backlog"
)

// MacOS is macOS 11 and later.
var MacOS = &backlog.Profile{
	Name:    "macos",
	Systems: "macOS 11 and later",
	Rule:    "incomplete + completed < backlog; when full the oldest incomplete entry is evicted, and without one the SYN dropped",
	Sources: []string{"xnu bsd/kern/uipc_socket2.c sonewconn, bsd/netinet/tcp_input.c tcp_dropdropablreq, uipc_socket.c solisten"},
	Clamp: func(s backlog.Settings) int {
		if s.Backlog <= 0 || s.Backlog > 128 {
			return min(128, s.Somaxconn)
		}
		return min(s.Backlog, s.Somaxconn)
	},
	Describe: func(l backlog.Limits) string {
		return fmt.Sprintf("incomplete + completed <= %d, that is the backlog; beyond it the oldest incomplete entry is evicted", l.Effective)
	},
	AtSYN: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := total(b)(c, l)
		if d.Verdict == backlog.Drop && c.Incomplete > 0 {
			d.Verdict = backlog.Evict
		}
		return d
	},
	AtFinalACK:   promote,
	Schedule:     backlog.Schedule{Retransmit: doubling(time.Second, 6).Retransmit, Expire: 75 * time.Second, ResetOnExpire: true},
	ResetOnClose: true,
}

// syncacheSchedule is that of the SYN caches of NetBSD and OpenBSD: from 3 s on,
// doubled, until TCPTV_KEEP_INIT; the entry goes silently.
var syncacheSchedule = until(doubling(3*time.Second, 4), 75*time.Second)

// NetBSD is NetBSD with its SYN cache.
var NetBSD = &backlog.Profile{
	Name:       "netbsd",
	Systems:    "NetBSD",
	Rule:       "a SYN is dropped when completed > backlog; a final ACK gets RST when completed > 3*backlog/2",
	Sources:    []string{"NetBSD sys/netinet/tcp_input.c, tcp_syncache.c syn_cache_get, sys/kern/uipc_socket2.c sonewconn"},
	Clamp:      clampClassic,
	Describe:   describeCompleted(bPlus1, "%d+1"),
	AtSYN:      completed(bPlus1),
	AtFinalACK: promoteBelow(berkeley, backlog.Reset),
	Schedule:   syncacheSchedule,
}

// OpenBSD is OpenBSD, which clamps the backlog to kern.sominconn 80 and
// kern.somaxconn 128.
var OpenBSD = &backlog.Profile{
	Name:       "openbsd",
	Systems:    "OpenBSD",
	Rule:       "backlog clamped to 80..128; a SYN is dropped when completed > backlog; a final ACK gets RST when completed > 3*backlog/2",
	Sources:    []string{"OpenBSD sys/netinet/tcp_input.c tcp_input, syn_cache_get, sys/kern/uipc_socket.c solisten, uipc_socket2.c sonewconn"},
	Clamp:      clampWithin(80, 128),
	Describe:   describeCompleted(bPlus1, "%d+1"),
	AtSYN:      completed(bPlus1),
	AtFinalACK: promoteBelow(berkeley, backlog.Reset),
	Schedule:   syncacheSchedule,
}

// illumosQ0 is what the half-open queue of illumos holds beyond the backlog
// (_conn_req_max_q0).
const illumosQ0 = 1024

// Illumos is illumos, whose completed queue makes connections wait.
var Illumos = &backlog.Profile{
	Name:    "illumos",
	Systems: "illumos, OpenSolaris",
	Rule: "a SYN is dropped when completed = backlog (1..128), evicts when 1024 more are incomplete; " +
		"a connection completed at a full queue is parked until accept makes room",
	Sources: []string{"illumos usr/src/uts/common/inet/tcp/tcp_input.c tcp_input_listener, tcp_drop_q0; _conn_req_max_q 128, _conn_req_max_q0 1024"},
	Clamp:   clampWithin(1, 128),
	Describe: func(l backlog.Limits) string {
		return fmt.Sprintf("completed <= %d, parked beyond; incomplete <= %d, that is %d+%d", l.Effective, l.Effective+illumosQ0, l.Effective, illumosQ0)
	},
	AtSYN: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := completed(b)(c, l)
		if d.Verdict == backlog.Admit && c.Incomplete >= l.Effective+illumosQ0 {
			return backlog.Decision{Verdict: backlog.Evict, Reason: backlog.IncompleteFull, Have: c.Incomplete, Bound: l.Effective + illumosQ0}
		}
		return d
	},
	AtFinalACK:   promoteBelow(b, backlog.Park),
	Schedule:     until(doubling(time.Second, 7), 180*time.Second), // tcp_rexmit_interval_initial, tcp_ip_abort_linterval
	ResetOnClose: true,
}

// LwIP is lwIP, the stack of small devices.
var LwIP = &backlog.Profile{
	Name:     "lwip",
	Systems:  "lwIP 2",
	Rule:     "a SYN is dropped when incomplete + completed = max(1, backlog), backlog at most 255",
	Sources:  []string{"lwIP src/core/tcp_in.c tcp_listen_input, tcp.c tcp_listen_with_backlog, tcp_slowtmr (TCP_SYN_RCVD_TIMEOUT)"},
	Clamp:    func(s backlog.Settings) int { return max(1, min(clampClassic(s), 255)) },
	Describe: describeTotal(b, "max(1, backlog) = %d"),
	AtSYN:    total(b),
	// LWIP_TCP_RTO_TIME 3 s, doubled
	AtFinalACK: promote,
	Schedule:   until(doubling(3*time.Second, 2), 20*time.Second),
}
