package handshake

import (
	"net/netip"

	"tcplab/listener/segment"
)

// invalidAddress reports whether a segment comes from where no client can be:
// multicast, broadcast, loopback, the unspecified address or the endpoint's own
// (RFC 9293 section 3.9.2.3, MUST-63; RFC 1122 section 3.2.1.3), or was sent to
// a multicast or broadcast address (MUST-57). Such a segment is discarded
// silently: a RST would go to all of them.
func (m *Machine) invalidAddress(s *segment.Segment) bool {
	client, server := s.Tuple.Client(), s.Tuple.Server().Addr()
	addr := client.Addr()
	if server.IsMulticast() || server == limitedBroadcast {
		return true
	}
	if addr.IsMulticast() || addr.IsLoopback() || addr.IsUnspecified() || client.Port() == 0 {
		return true
	}
	if addr == limitedBroadcast || addr.Is4() && addr.As4()[0] == 0 {
		return true // 0.0.0.0/8 is "this network"; 240.0.0.0/4 is used inside networks, and Linux takes it
	}
	if addr.Is4() != s.Tuple.Is4() {
		return true // an IPv4-mapped address on the wire (RFC 4942 section 2.2)
	}
	for _, subnet := range m.subnets {
		if all := broadcast(subnet); addr == subnet.Addr() || addr == all || server == all {
			return true
		}
	}
	return false
}

// limitedBroadcast is every host on the link (RFC 919 section 7).
var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// broadcast is the directed broadcast address of an IPv4 subnet, the zero Addr
// where it has none (IPv6, /31 and /32).
func broadcast(subnet netip.Prefix) netip.Addr {
	if !subnet.Addr().Is4() || subnet.Bits() > 30 {
		return netip.Addr{}
	}
	b := subnet.Addr().As4()
	for bit := subnet.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}
