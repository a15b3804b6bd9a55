package syn

import (
	"math/rand/v2"
	"net/netip"

	"tcplab/internal/endpoint"
)

// The networks for documentation.
var testNets = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), // RFC 5737
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8:5711::/112"), // of RFC 3849's 2001:db8::/32
}

const (
	hosts     = 254  // addresses that are used of a network
	firstPort = 1024 // a client's ports begin here
	ports     = 64512
)

// sources are the clients that do not exist, each another address and port.
type sources struct {
	nets  []netip.Prefix
	start int // a number by chance, so that two runs differ
}

// sourcesFor are the clients for a destination: of its family, and in no subnet
// of the instance.
func sourcesFor(to netip.Addr, links []endpoint.LinkStatus) sources {
	var s sources
	for _, n := range testNets {
		free := n.Addr().Is4() == to.Is4()
		for _, l := range links {
			free = free && !n.Overlaps(l.Host)
		}
		if free {
			s.nets = append(s.nets, n)
		}
	}
	s.start = rand.IntN(hosts * ports) //nolint:gosec // nobody is to be surprised
	return s
}

// all is how many clients there are.
func (s *sources) all() int { return len(s.nets) * hosts * ports }

// client is number i of them: neighbours differ in their address.
func (s *sources) client(i int) netip.AddrPort {
	i = (s.start + i) % s.all()
	addresses := len(s.nets) * hosts
	n, host := i%addresses%len(s.nets), i%addresses/len(s.nets)
	raw := s.nets[n].Addr().AsSlice()
	raw[len(raw)-1] = byte(1 + host)
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr, uint16(firstPort+i/addresses))
}
