package tun

import (
	"github.com/vishvananda/netlink"
)

// State is an interface as the kernel has it at one moment.
type State struct {
	Stats Stats
	// Changes says what somebody has changed of the interface since it was made,
	// and how to undo it: a sentence each.
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

// State asks the kernel how the interface is now. The error is that the interface
// cannot be looked at, because somebody removed it perhaps.
func (d *Device) State() (State, error) {
	fail := func(err error) (State, error) {
		return State{}, &Error{Op: "looking at interface", Name: d.name, Err: err}
	}
	link, err := d.kernel.LinkByIndex(d.index)
	if err != nil {
		return fail(err)
	}
	addrs, err := d.kernel.Addrs(link.Index)
	if err != nil {
		return fail(err)
	}
	return State{Stats: statsOf(link), Changes: d.changes(link, addrs)}, nil
}

// Stats reads the interface's counters alone.
func (d *Device) Stats() (Stats, error) {
	link, err := d.kernel.LinkByIndex(d.index)
	if err != nil {
		return Stats{}, &Error{Op: "reading the counters of interface", Name: d.name, Err: err}
	}
	return statsOf(link), nil
}

func statsOf(link *netlink.LinkAttrs) Stats {
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
