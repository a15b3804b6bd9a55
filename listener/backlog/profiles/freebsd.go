package profiles

import (
	"fmt"
	"time"

	"tcplab/listener/backlog"
)

// FreeBSD4 is FreeBSD 4.8 and 5.1: a SYN enters the SYN cache while the
// completed queue is not over the backlog.
var FreeBSD4 = &backlog.Profile{
	Name:    "freebsd-4",
	Systems: "FreeBSD 4.8, 5.1",
	Rule:    "a SYN is dropped when completed > backlog; a final ACK gets RST when completed > 3*backlog/2",
	Sources: []string{
		"FreeBSD 4.8 sys/netinet/tcp_input.c tcp_input, tcp_syncache.c, sys/kern/uipc_socket2.c sonewconn",
		"Stevens, UNIX Network Programming vol. 1, 3rd ed., figure 4.10",
	},
	Clamp:      clampUnsigned,
	Describe:   describeCompleted(bPlus1, "%d+1"),
	AtSYN:      completed(bPlus1),
	AtFinalACK: promoteBelow(berkeley, backlog.Reset),
	Schedule:   doubling(3*time.Second, 3), // TCPTV_RTOBASE, SYNCACHE_MAXREXMTS
	Repeat:     backlog.Repeat{Restart: true, Renew: true},
}

// syncacheLimit is how many entries FreeBSD's SYN cache holds: 512 buckets of
// 30 (TCP_SYNCACHE_HASHSIZE, TCP_SYNCACHE_BUCKETLIMIT).
const syncacheLimit = 512 * 30

// FreeBSD is FreeBSD 14: the SYN cache answers every SYN and looks at the accept
// queue only when the handshake is done.
var FreeBSD = &backlog.Profile{
	Name:    "freebsd",
	Systems: "FreeBSD 14",
	Rule:    "every SYN is answered; a final ACK gets RST when completed > 3*backlog/2",
	Sources: []string{
		"FreeBSD 14 sys/netinet/tcp_syncache.c syncache_add, syncache_socket (net.inet.tcp.syncache.rst_on_sock_fail = 1)",
		"FreeBSD 14 sys/kern/uipc_socket.c solisten_proto, sonewconn",
	},
	Clamp: clampUnsigned,
	Describe: func(l backlog.Limits) string {
		return fmt.Sprintf("completed <= %d, that is 3*%d/2+1, looked at when the handshake is done", berkeley(l), l.Effective)
	},
	AtSYN:      atSyncache,
	AtFinalACK: promoteBelow(berkeley, backlog.Reset),
	Schedule:   doubling(time.Second, 3),
	Repeat:     backlog.Repeat{Restart: true, Renew: true},
	Cookies:    true,
}

// atSyncache answers with a cookie, or evicts, where the SYN cache is full.
func atSyncache(c backlog.Counts, l backlog.Limits) backlog.Decision {
	d := backlog.Decision{Verdict: backlog.Admit, Have: c.Incomplete, Bound: syncacheLimit}
	if d.Have >= d.Bound {
		d.Reason = backlog.IncompleteFull
		if d.Verdict = backlog.Evict; l.Syncookies > 0 {
			d.Verdict, d.Cookie = backlog.Cookie, true
		}
	}
	return d
}
