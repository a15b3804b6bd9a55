package handshake

import (
	"net/netip"

	"tcplab/listener/segment"
)

// invalidSource reports whether a SYN comes from where no client can be:
// multicast, broadcast, loopback, the unspecified address or the endpoint's own
// (RFC 9293 section 3.9.2.3, MUST-63; RFC 1122 section 3.2.1.3). Such a SYN is
// discarded silently.
func (m *Machine) invalidSource(s *segment.Segment) bool {
	client := s.Tuple.Client()
	addr := client.Addr()
	if addr.IsMulticast() || addr.IsLoopback() || addr.IsUnspecified() || client.Port() == 0 {
		return true
	}
	if addr.Is4() && (addr.As4()[0] >= 240 || addr.As4()[0] == 0) {
		return true // reserved, with limited broadcast; "this network"
	}
	if addr.Is4() != s.Tuple.Is4() {
		return true // an IPv4-mapped address on the wire (RFC 4942 section 2.2)
	}
	for _, subnet := range m.subnets {
		if addr == subnet.Addr() || addr == broadcast(subnet) {
			return true
		}
	}
	return false
}

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
