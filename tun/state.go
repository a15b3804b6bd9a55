package tun

import (
	"errors"
	"slices"

	"tcplab/internal/rtnetlink"
)

// State is an interface as the kernel has it at one moment.
type State struct {
	// Stats are nil while the interface is in another network namespace.
	Stats *Stats
	// Changes says what somebody has changed since the interface was made, and the
	// command that undoes it: a sentence each. Each command works as long as those
	// before it have been run, in this order.
	Changes []string
}

// Stats are the interface's counters, from the host's point of view: what it
// transmits, the endpoint reads.
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxDropped            uint64 // packets of the endpoint's that the host did not take
	TxDropped            uint64 // packets of the host's that were lost before the endpoint read them
}

// State asks the kernel how the interface is now, wherever it is and whatever it
// is called. The error is that it cannot be looked at, because somebody removed it
// perhaps.
func (d *Device) State() (State, error) {
	fail := func(err error) (State, error) {
		return State{}, &Error{Op: "looking at interface", Name: d.made.name, Err: err}
	}
	link, err := d.find()
	if errors.Is(err, errAway) {
		return State{Changes: []string{d.moved()}}, nil
	} else if err != nil {
		return fail(err)
	}
	addrs, err := d.kernel.Addrs()
	if err != nil {
		return fail(err)
	}
	f := found{made: &d.made, link: link, addrs: addrs}
	changes := append(f.linkChanges(), f.addrChanges()...)
	for _, to := range d.made.peers {
		change, err := f.way(d.kernel, to)
		if err != nil {
			return fail(err)
		}
		if change != "" && !slices.Contains(changes, change) { // ports are mostly alike
			changes = append(changes, change)
		}
	}
	stats := statsOf(link)
	return State{Stats: &stats, Changes: append(changes, f.nameChange()...)}, nil
}

// Stats reads the interface's counters alone.
func (d *Device) Stats() (Stats, error) {
	link, err := d.find()
	if err != nil {
		return Stats{}, &Error{Op: "reading the counters of interface", Name: d.made.name, Err: err}
	}
	return statsOf(link), nil
}

func statsOf(link *rtnetlink.Link) Stats {
	s := link.Statistics
	if s == nil {
		return Stats{}
	}
	return Stats{
		RxPackets: s.RxPackets, TxPackets: s.TxPackets,
		RxBytes: s.RxBytes, TxBytes: s.TxBytes,
		RxDropped: s.RxDropped, TxDropped: s.TxDropped,
	}
}
