package profiles

import "tcplab/listener/backlog"

// BSD is 4.4BSD and what came of it unchanged: both queues together hold
// 3b/2 + 1 (sonewconn refuses when so_qlen + so_q0len > 3 * so_qlimit / 2).
var BSD = &backlog.Profile{
	Name:    "bsd",
	Systems: "4.4BSD, Mac OS 10.2, AIX 5.1",
	Rule:    "a SYN is dropped when incomplete + completed > 3*backlog/2",
	Sources: []string{
		"4.4BSD sys/kern/uipc_socket2.c sonewconn, uipc_socket.c solisten",
		"Stevens, UNIX Network Programming vol. 1, 3rd ed., figure 4.10",
	},
	Clamp:        clampClassic,
	Describe:     describeTotal(berkeley, "3*%d/2+1"),
	AtSYN:        total(berkeley),
	AtFinalACK:   promote,
	Schedule:     berkeleySchedule,
	ResetOnClose: true,
}
