// Package profiles holds what each operating system makes of the backlog of
// listen(2): one file a family, each rule with its source beside it.
package profiles

import (
	"fmt"
	"strings"

	"tcplab/listener/backlog"
)

// all is every profile, in the order in which they are listed.
var all = []*backlog.Profile{Sum, BSD}

// All returns every profile in the order in which they are listed.
func All() []*backlog.Profile { return append([]*backlog.Profile(nil), all...) }

// Names returns the names of all profiles.
func Names() []string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	return names
}

// Lookup finds a profile by its name. The error lists the names that there are.
func Lookup(name string) (*backlog.Profile, error) {
	for _, p := range all {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("unknown profile %q: known are %s", name, strings.Join(Names(), ", "))
}

// total is the rule of systems that bound both queues together at the SYN.
func total(bound func(backlog.Limits) int) backlog.Rule {
	return func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := backlog.Decision{Verdict: backlog.Admit, Have: c.Total(), Bound: bound(l)}
		if d.Have >= d.Bound {
			d.Verdict, d.Reason = backlog.Drop, backlog.TotalFull
		}
		return d
	}
}

// promote is the rule of systems that decide at the SYN alone: whoever got a
// place keeps it.
func promote(c backlog.Counts, l backlog.Limits) backlog.Decision {
	return backlog.Decision{Verdict: backlog.Promote, Have: c.Completed}
}
