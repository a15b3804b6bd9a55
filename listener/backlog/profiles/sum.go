package profiles

import (
	"fmt"
	"time"

	"tcplab/listener/backlog"
)

// Sum is the historical definition of the backlog: the maximum for the sum of
// both queues.
var Sum = &backlog.Profile{
	Name:    "sum",
	Systems: "the historical definition; no shipping system",
	Rule:    "a SYN is dropped when incomplete + completed = backlog",
	Sources: []string{"Stevens, UNIX Network Programming vol. 1, 3rd ed., section 4.5"},
	Clamp:   sumBacklog,
	Describe: func(l backlog.Limits) string {
		if l.Effective == 0 {
			return "incomplete + completed <= 0, that is the backlog itself: every SYN is dropped"
		}
		return fmt.Sprintf("incomplete + completed <= %d, that is the backlog itself", l.Effective)
	},
	AtSYN:        total(func(l backlog.Limits) int { return l.Effective }),
	AtFinalACK:   promote,
	Schedule:     berkeleySchedule,
	ResetOnClose: true,
}

// sumBacklog takes -1 for the system's maximum, other negative ones for zero,
// and clamps to somaxconn.
func sumBacklog(s backlog.Settings) int {
	if s.Backlog == -1 {
		return s.Somaxconn
	}
	return min(max(s.Backlog, 0), s.Somaxconn)
}

// berkeleySchedule is TCP's of 4.4BSD: the SYN-ACK again at about 6 and 30 s,
// the connection dropped with RST|ACK after TCPTV_KEEP_INIT, 75 s (tcp_timers,
// tcp_drop; Stevens, TCP/IP Illustrated vol. 2, chapter 25).
var berkeleySchedule = backlog.Schedule{
	Retransmit:    []time.Duration{6 * time.Second, 30 * time.Second},
	Expire:        75 * time.Second,
	ResetOnExpire: true,
}
