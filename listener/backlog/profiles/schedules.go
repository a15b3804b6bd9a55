package profiles

import (
	"time"

	"tcplab/listener/backlog"
)

// berkeleySchedule is TCP's of 4.4BSD: the SYN-ACK again at about 6 and 30 s,
// the connection dropped with RST|ACK after TCPTV_KEEP_INIT, 75 s (tcp_timers,
// tcp_drop; Stevens, TCP/IP Illustrated vol. 2, chapter 25).
var berkeleySchedule = backlog.Schedule{
	Retransmit:    []time.Duration{6 * time.Second, 30 * time.Second},
	Expire:        75 * time.Second,
	ResetOnExpire: true,
}

// doubling is a schedule of n retransmissions whose waits double from first on;
// the entry goes silently when the wait after the last one is over.
func doubling(first time.Duration, n int) backlog.Schedule {
	s := backlog.Schedule{Doubles: true}
	wait, at := first, time.Duration(0)
	for range n {
		at += wait
		s.Retransmit = append(s.Retransmit, at)
		wait *= 2
	}
	s.Expire = at + wait
	return s
}

// until is the schedule with another time of expiry.
func until(s backlog.Schedule, expire time.Duration) backlog.Schedule {
	s.Expire, s.Doubles = expire, false
	return s
}
