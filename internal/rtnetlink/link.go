package rtnetlink

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// LinkByIndex is the interface with this number. Where there is none the error is
// unix.ENODEV.
func (c *Conn) LinkByIndex(index int) (*netlink.LinkAttrs, error) {
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(index)
	return c.link(message)
}

// LinkByName is the interface of this name, and unix.ENODEV where there is none.
func (c *Conn) LinkByName(name string) (*netlink.LinkAttrs, error) {
	return c.link(nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
}

func (c *Conn) link(data ...nl.NetlinkRequestData) (*netlink.LinkAttrs, error) {
	payload, err := c.one(unix.RTM_GETLINK, 0, data...)
	if err != nil {
		return nil, err
	}
	if len(payload) < unix.SizeofIfInfomsg {
		return nil, fmt.Errorf("rtnetlink: an interface in %d bytes", len(payload))
	}
	link, err := netlink.LinkDeserialize(nil, payload)
	if err != nil {
		return nil, err
	}
	return link.Attrs(), nil
}

// Addrs are the addresses of the interface with this number, each with the
// prefix length of its subnet.
func (c *Conn) Addrs(index int) ([]netip.Prefix, error) {
	message := nl.NewIfAddrmsg(unix.AF_UNSPEC)
	message.Index = uint32(index)
	answers, err := c.dump(unix.RTM_GETADDR, message)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Prefix
	for _, payload := range answers {
		if len(payload) < unix.SizeofIfAddrmsg {
			return nil, fmt.Errorf("rtnetlink: an address in %d bytes", len(payload))
		}
		header := nl.DeserializeIfAddrmsg(payload)
		if int(header.Index) != index {
			continue
		}
		attrs, err := nl.ParseRouteAttrAsMap(payload[unix.SizeofIfAddrmsg:])
		if err != nil {
			return nil, err
		}
		value, local := attrs[unix.IFA_LOCAL] // IFA_ADDRESS is the peer's, where there is one
		if !local {
			value = attrs[unix.IFA_ADDRESS]
		}
		if addr, ok := netip.AddrFromSlice(value.Value); ok {
			addrs = append(addrs, netip.PrefixFrom(addr, int(header.Prefixlen)))
		}
	}
	return addrs, nil
}
