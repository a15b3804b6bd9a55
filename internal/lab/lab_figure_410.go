package lab

import (
	"strconv"
	"strings"

	"tcplab/internal/table"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

var figure410Lab = &Lab{
	Name:  "figure-4.10",
	Title: "Stevens' figure 4.10, measured again with clients of this machine's kernel",
	About: `UNIX Network Programming, section 4.5: what a backlog means was never defined formally. Figure 4.10 has the actual number of queued connections for backlogs from 0 to 14 on five systems; no two columns are the same. Such a table is measured with clients that connect, one after another, to a socket that accepts nobody, until one does not get through.

This lab does the same: for each system and backlog a listening socket in a network namespace of its own, and clients of the kernel's that connect in turn. A last column is this machine's own kernel with its own listen(2).`,
	run: figure410,
}

func figure410(s *Scene) {
	s.Step("For each of five systems, and for this machine's kernel, sockets listen with backlogs 0 to 14; clients connect until no more get through.")
	var chosen []*backlog.Profile
	for _, name := range []string{"bsd", "linux-2.4", "hpux-11", "freebsd-4", "solaris-9", "linux"} {
		p, err := profiles.Lookup(name)
		s.must("finding a profile", err)
		chosen = append(chosen, p)
	}
	measured, err := table.Measure(s.ctx, table.Config{Profiles: chosen, MaxBacklog: 14})
	s.must("measuring", err)
	var text strings.Builder
	s.must("writing the table", measured.WriteText(&text))
	s.Show(strings.Split(text.String(), "\n")...)
	equal, cells := 0, 0
	for i := range measured.Columns {
		for _, cell := range measured.Columns[i].Cells {
			if cell.Published != nil {
				cells++
				if *cell.Published == cell.Measured {
					equal++
				}
			}
		}
	}
	s.Claim(equal == 75 && cells == 75, "%d of %d published cells are as published", equal, cells)
	s.Claim(measured.Differences() == 0, "this machine's kernel queues what the profile linux does: backlog+1")
	s.Say("Look at a backlog of 0: no system takes it for \"no connections\".")
}

func itoa(n int) string { return strconv.Itoa(n) }
