package profiles

import "tcplab/listener/backlog"

// clampClassic takes -1 for the system's maximum, as configuration files mean
// it, and other negative backlogs for zero (solisten), and clamps to somaxconn.
func clampClassic(s backlog.Settings) int {
	if s.Backlog == -1 {
		return s.Somaxconn
	}
	return min(max(s.Backlog, 0), s.Somaxconn)
}

// clampUnsigned compares the backlog as an unsigned number, so that every
// negative one is somaxconn (Linux __sys_listen, FreeBSD solisten_proto).
func clampUnsigned(s backlog.Settings) int {
	if s.Backlog < 0 {
		return s.Somaxconn
	}
	return min(s.Backlog, s.Somaxconn)
}

// clampWithin is clampUnsigned between two constants of the system's.
func clampWithin(least, most int) func(backlog.Settings) int {
	return func(s backlog.Settings) int {
		return max(least, min(clampUnsigned(s), most))
	}
}
