package tun

// Stats are the interface's counters, from the host's point of view: what it
// transmits, the endpoint reads.
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxDropped            uint64 // packets of the endpoint's that the host did not take
	TxDropped            uint64 // packets of the host's that were lost before the endpoint read them
}

// Stats reads the interface's counters.
func (d *Device) Stats() (Stats, error) {
	link, err := d.links.LinkByIndex(d.index)
	if err != nil {
		return Stats{}, &Error{Op: "reading the counters of interface", Name: d.name, Err: err}
	}
	s := link.Attrs().Statistics
	if s == nil {
		return Stats{}, nil
	}
	return Stats{
		RxPackets: s.RxPackets, TxPackets: s.TxPackets,
		RxBytes: s.RxBytes, TxBytes: s.TxBytes,
		RxDropped: s.RxDropped, TxDropped: s.TxDropped,
	}, nil
}
