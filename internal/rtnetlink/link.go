package rtnetlink

import (
	"fmt"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Link is an interface.
type Link struct {
	netlink.LinkAttrs
	Qdisc   string // the kind of its root queueing discipline (tc(8))
	Carrier bool
	NoIPv6  bool // net.ipv6.conf.NAME.disable_ipv6
}

// LinkByIndex is the interface with this number. Where there is none the error is
// unix.ENODEV.
func (c *Conn) LinkByIndex(index int) (*Link, error) {
	message := nl.NewIfInfomsg(unix.AF_UNSPEC)
	message.Index = int32(index)
	return c.link(message)
}

// LinkByName is the interface of this name, or of this alternative name, and
// unix.ENODEV where there is none.
func (c *Conn) LinkByName(name string) (*Link, error) {
	kind := unix.IFLA_IFNAME
	if len(name) >= unix.IFNAMSIZ {
		kind = unix.IFLA_ALT_IFNAME
	}
	return c.link(nl.NewIfInfomsg(unix.AF_UNSPEC), nl.NewRtAttr(kind, nl.ZeroTerminated(name)))
}

func (c *Conn) link(data ...nl.NetlinkRequestData) (*Link, error) {
	payload, err := c.one(unix.RTM_GETLINK, 0, data...)
	if err != nil {
		return nil, err
	}
	if len(payload) < unix.SizeofIfInfomsg {
		return nil, fmt.Errorf("rtnetlink: an interface in %d bytes", len(payload))
	}
	decoded, err := netlink.LinkDeserialize(nil, payload)
	if err != nil {
		return nil, err
	}
	attrs, err := nl.ParseRouteAttrAsMap(payload[unix.SizeofIfInfomsg:])
	if err != nil {
		return nil, err
	}
	carrier := attrs[unix.IFLA_CARRIER].Value
	return &Link{
		LinkAttrs: *decoded.Attrs(),
		Qdisc:     strings.TrimRight(string(attrs[unix.IFLA_QDISC].Value), "\x00"),
		Carrier:   len(carrier) == 0 || carrier[0] != 0, // kernels before 3.8 do not say
		NoIPv6:    noIPv6(attrs[unix.IFLA_AF_SPEC]),
	}, nil
}

// disableIPv6 is the place of disable_ipv6 among an interface's settings
// (DEVCONF_DISABLE_IPV6 in linux/ipv6.h).
const disableIPv6 = 26

// noIPv6 reports whether IPv6 is switched off for an interface; it is on where the
// kernel does not say.
func noIPv6(families syscall.NetlinkRouteAttr) bool {
	byFamily, err := nl.ParseRouteAttrAsMap(families.Value)
	if err != nil {
		return false
	}
	inet6, err := nl.ParseRouteAttrAsMap(byFamily[unix.AF_INET6].Value)
	if err != nil {
		return false
	}
	settings := inet6[unix.IFLA_INET6_CONF].Value
	return len(settings) >= 4*(disableIPv6+1) && nl.NativeEndian().Uint32(settings[4*disableIPv6:]) != 0
}
