package rtnetlink

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Addr is an address of the host's.
type Addr struct {
	netip.Prefix     // with the prefix length of its subnet
	Index        int // of its interface
}

// Addrs are the addresses of all interfaces.
func (c *Conn) Addrs() ([]Addr, error) {
	answers, err := c.dump(unix.RTM_GETADDR, nl.NewIfAddrmsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, err
	}
	var addrs []Addr
	for _, payload := range answers {
		if len(payload) < unix.SizeofIfAddrmsg {
			return nil, fmt.Errorf("rtnetlink: an address in %d bytes", len(payload))
		}
		header := nl.DeserializeIfAddrmsg(payload)
		attrs, err := nl.ParseRouteAttrAsMap(payload[unix.SizeofIfAddrmsg:])
		if err != nil {
			return nil, err
		}
		value, local := attrs[unix.IFA_LOCAL] // IFA_ADDRESS is the peer's, where there is one
		if !local {
			value = attrs[unix.IFA_ADDRESS]
		}
		if addr, ok := netip.AddrFromSlice(value.Value); ok {
			addrs = append(addrs, Addr{netip.PrefixFrom(addr, int(header.Prefixlen)), int(header.Index)})
		}
	}
	return addrs, nil
}
