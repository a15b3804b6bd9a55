package profiles

import (
	"fmt"

	"tcplab/listener/backlog"
)

// Sum is the historical definition of the backlog: the maximum for the sum of
// both queues.
var Sum = &backlog.Profile{
	Name:    "sum",
	Systems: "the historical definition; no shipping system",
	Rule:    "a SYN is dropped when incomplete + completed = backlog",
	Sources: []string{"Stevens, UNIX Network Programming vol. 1, 3rd ed., section 4.5"},
	Clamp:   clampClassic,
	Describe: func(l backlog.Limits) string {
		text := fmt.Sprintf("incomplete + completed <= %d, that is the backlog itself", l.Effective)
		if l.Effective == 0 {
			text += ": every SYN is dropped"
		}
		return text
	},
	AtSYN:        total(b),
	AtFinalACK:   promote,
	Schedule:     berkeleySchedule,
	ResetOnClose: true,
}
