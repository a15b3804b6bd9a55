// Package profiles holds what each operating system makes of the backlog of
// listen(2): one file a family, each rule with its source beside it.
package profiles

import (
	"fmt"
	"strings"

	"tcplab/listener/backlog"
)

// all is every profile, in the order in which they are listed.
var all = []*backlog.Profile{
	Sum, BSD, FreeBSD4, FreeBSD, Linux, Linux26, Linux24, HPUX11, Solaris9, MacOS, NetBSD, OpenBSD, Illumos, LwIP,
}

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
