package profiles

import (
	"time"

	"tcplab/listener/backlog"
)

// rowHPUX and rowSolaris are the rows of figure 4.10 for backlogs 0 to 14, as
// measured by Stevens. Solaris' 6 at backlog 4 fits no formula.
var (
	rowHPUX    = []int{1, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21}
	rowSolaris = []int{1, 2, 4, 5, 6, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22}
)

// row is a bound that was measured, continued by a formula.
func row(measured []int, beyond bound) bound {
	return func(l backlog.Limits) int {
		if l.Effective < len(measured) {
			return measured[l.Effective]
		}
		return beyond(l)
	}
}

var (
	boundHPUX    = row(rowHPUX, func(l backlog.Limits) int { return 3 * l.Effective / 2 })
	boundSolaris = row(rowSolaris, berkeley)
)

// HPUX11 is HP-UX 11.11.
var HPUX11 = &backlog.Profile{
	Name:         "hpux-11",
	Systems:      "HP-UX 11.11",
	Rule:         "a SYN is dropped when incomplete + completed reaches the value measured for the backlog",
	Sources:      []string{"Stevens, UNIX Network Programming vol. 1, 3rd ed., figure 4.10"},
	Clamp:        clampClassic,
	Describe:     describeTotal(boundHPUX, "as measured for backlog %d"),
	AtSYN:        total(boundHPUX),
	AtFinalACK:   promote,
	Schedule:     berkeleySchedule, // assumed: not published
	ResetOnClose: true,
}

// Solaris9 is Solaris 2.9.
var Solaris9 = &backlog.Profile{
	Name:     "solaris-9",
	Systems:  "Solaris 2.9",
	Rule:     "a SYN is dropped when incomplete + completed reaches the value measured for the backlog",
	Sources:  []string{"Stevens, UNIX Network Programming vol. 1, 3rd ed., figure 4.10"},
	Clamp:    clampClassic,
	Describe: describeTotal(boundSolaris, "as measured for backlog %d"),
	AtSYN:    total(boundSolaris),
	// tcp_rexmit_interval_initial, tcp_ip_abort_linterval
	AtFinalACK:   promote,
	Schedule:     until(doubling(3*time.Second, 5), 180*time.Second),
	ResetOnClose: true,
}
