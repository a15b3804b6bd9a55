package ss

import (
	"fmt"
	"slices"
	"strings"

	"tcplab/internal/endpoint"
	"tcplab/stack"
)

// Filter says which sockets are shown. The zero value shows what "ss -tn" does,
// and half-open entries: connections in all states but TIME-WAIT.
type Filter struct {
	Listening bool // -l: listening sockets only
	All       bool // -a: sockets in all states
	IPv4      bool // -4; with neither or both, both versions
	IPv6      bool // -6
	states    []string
}

// groups are the names of states that ss(8) knows, with the states they stand
// for, as far as a server's sockets come into them.
var groups = map[string][]string{
	"listening":    {endpoint.StateListen},
	"syn-recv":     {endpoint.StateSYNRecv},
	"established":  {string(stack.Established)},
	"fin-wait-1":   {string(stack.FinWait1)},
	"fin-wait-2":   {string(stack.FinWait2)},
	"time-wait":    {string(stack.TimeWait)},
	"close-wait":   {string(stack.CloseWait)},
	"last-ack":     {string(stack.LastACK)},
	"closing":      {string(stack.Closing)},
	"all":          {endpoint.StateListen, endpoint.StateSYNRecv, string(stack.TimeWait), estab, fin1, fin2, closeWait, lastACK, closing},
	"connected":    {endpoint.StateSYNRecv, string(stack.TimeWait), estab, fin1, fin2, closeWait, lastACK, closing},
	"synchronized": {string(stack.TimeWait), estab, fin1, fin2, closeWait, lastACK, closing},
	"bucket":       {endpoint.StateSYNRecv, string(stack.TimeWait)},
	"big":          {endpoint.StateListen, estab, fin1, fin2, closeWait, lastACK, closing},
}

const (
	estab     = string(stack.Established)
	fin1      = string(stack.FinWait1)
	fin2      = string(stack.FinWait2)
	closeWait = string(stack.CloseWait)
	lastACK   = string(stack.LastACK)
	closing   = string(stack.Closing)
)

// StateNames are the names that Parse takes.
func StateNames() []string {
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Parse reads the arguments of ss: "state NAME" and "exclude NAME", again and
// again.
func (f *Filter) Parse(args []string) error {
	for ; len(args) > 0; args = args[2:] {
		if args[0] != "state" && args[0] != "exclude" || len(args) < 2 {
			return fmt.Errorf("%q: give state NAME or exclude NAME, with NAME one of %s", args[0], strings.Join(StateNames(), ", "))
		}
		named, ok := groups[strings.ToLower(args[1])]
		if !ok {
			return fmt.Errorf("%s %s: there is no such state: give one of %s", args[0], args[1], strings.Join(StateNames(), ", "))
		}
		if args[0] == "state" {
			f.states = append(f.states, named...)
			continue
		}
		if len(f.states) == 0 {
			f.states = append(f.states, groups["all"]...)
		}
		f.states = slices.DeleteFunc(f.states, func(s string) bool { return slices.Contains(named, s) })
		if len(f.states) == 0 {
			return fmt.Errorf("%s %s: that leaves no state to show", args[0], args[1])
		}
	}
	return nil
}

// Select returns the sockets to show. With one version of IP, a listening socket
// that serves both is shown at its address of that version.
func (f *Filter) Select(sockets []endpoint.Socket) []endpoint.Socket {
	selected := []endpoint.Socket{}
	for _, s := range sockets {
		if f.hasState(s.State) && f.hasVersion(&s) {
			selected = append(selected, s)
		}
	}
	return selected
}

// ListeningOnly reports whether no connection can be shown.
func (f *Filter) ListeningOnly() bool {
	return !slices.ContainsFunc(groups["connected"], f.hasState)
}

func (f *Filter) hasState(state string) bool {
	switch {
	case len(f.states) > 0:
		return slices.Contains(f.states, state)
	case f.All:
		return true
	case f.Listening:
		return state == endpoint.StateListen
	}
	return state != endpoint.StateListen && state != string(stack.TimeWait)
}

func (f *Filter) hasVersion(s *endpoint.Socket) bool {
	if f.IPv4 == f.IPv6 {
		return true
	}
	for _, addr := range s.Addrs {
		if addr.Addr().Is4() == f.IPv4 {
			s.Local = addr
			return true
		}
	}
	return len(s.Addrs) == 0 && s.Local.Addr().Is4() == f.IPv4
}
