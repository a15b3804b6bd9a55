package table

// published is figure 4.10 of Stevens, UNIX Network Programming vol. 1, 3rd
// ed.: the actual number of queued connections for backlogs 0 to 14.
var published = map[string]struct {
	systems string
	row     []int
}{
	"bsd":       {"MacOS 10.2.6, AIX 5.1", []int{1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22}},
	"linux-2.4": {"Linux 2.4.7", []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}},
	"hpux-11":   {"HP-UX 11.11", []int{1, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21}},
	"freebsd-4": {"FreeBSD 4.8, 5.1", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	"solaris-9": {"Solaris 2.9", []int{1, 2, 4, 5, 6, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22}},
}

// Published is how many connections figure 4.10 says for a profile and backlog;
// false where it says nothing.
func Published(profile string, backlog int) (int, bool) {
	p, ok := published[profile]
	if !ok || backlog < 0 || backlog >= len(p.row) {
		return 0, false
	}
	return p.row[backlog], true
}
