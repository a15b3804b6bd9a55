package profiles

import (
	"fmt"

	"tcplab/listener/backlog"
)

// bound is the most that a queue holds under given limits.
type bound func(backlog.Limits) int

// total is the rule of systems that bound both queues together at the SYN.
func total(most bound) backlog.Rule {
	return func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		return admitBelow(c.Total(), most(l), backlog.TotalFull)
	}
}

// completed is the rule of systems that look at the completed queue alone when
// a SYN comes.
func completed(most bound) backlog.Rule {
	return func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		return admitBelow(c.Completed, most(l), backlog.CompletedFull)
	}
}

func admitBelow(have, most int, full backlog.Reason) backlog.Decision {
	if have >= most {
		return backlog.Decision{Verdict: backlog.Drop, Reason: full, Have: have, Bound: most}
	}
	return backlog.Decision{Verdict: backlog.Admit, Have: have, Bound: most}
}

// promote is the rule at the final ACK of systems that decide at the SYN alone:
// whoever got a place keeps it.
func promote(c backlog.Counts, _ backlog.Limits) backlog.Decision {
	return backlog.Decision{Verdict: backlog.Promote, Have: c.Completed}
}

// promoteBelow is the rule at the final ACK of systems that look at the
// completed queue then; a connection that does not fit gets verdict.
func promoteBelow(most bound, verdict backlog.Verdict) backlog.Rule {
	return func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := backlog.Decision{Verdict: backlog.Promote, Have: c.Completed, Bound: most(l)}
		if d.Have >= d.Bound {
			d.Verdict, d.Reason = verdict, backlog.CompletedFull
		}
		return d
	}
}

// Bounds that several systems share, b being the effective backlog.

func b(l backlog.Limits) int        { return l.Effective }
func bPlus1(l backlog.Limits) int   { return l.Effective + 1 }
func berkeley(l backlog.Limits) int { return 3*l.Effective/2 + 1 }
func describeTotal(most bound, formula string) func(backlog.Limits) string {
	return func(l backlog.Limits) string {
		return fmt.Sprintf("incomplete + completed <= %d, that is "+formula, most(l), l.Effective)
	}
}

func describeCompleted(most bound, formula string) func(backlog.Limits) string {
	return func(l backlog.Limits) string {
		return fmt.Sprintf("completed <= %d, that is "+formula, most(l), l.Effective)
	}
}
