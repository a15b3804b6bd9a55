package rtnetlink

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Route is a route, or what a look-up came to.
type Route struct {
	Dst    netip.Prefix
	Type   int // unix.RTN_UNICAST, RTN_LOCAL, RTN_BLACKHOLE, …
	Table  int
	Metric int
	Out    []int      // the interface, by number; several of a multipath route
	Src    netip.Addr // the source address, where the route or the look-up has one
}

// Lookup asks for the way of a TCP segment of this process's user to an address
// and port: the kernel's own decision, with all its rules and tables. From is the
// source address, and may be the zero value. The error is a syscall.Errno where
// there is no way: ENETUNREACH without a route, EINVAL, EACCES and EHOSTUNREACH
// by a blackhole, a prohibit and an unreachable route or rule.
func (c *Conn) Lookup(to netip.AddrPort, from netip.Addr) (Route, error) {
	return c.lookup(to, from, 0)
}

// Match asks for the route in a table by which Lookup's decision fell.
func (c *Conn) Match(to netip.AddrPort, from netip.Addr) (Route, error) {
	return c.lookup(to, from, unix.RTM_F_FIB_MATCH)
}

func (c *Conn) lookup(to netip.AddrPort, from netip.Addr, flags uint32) (Route, error) {
	if to.Addr().Is4() {
		flags |= unix.RTM_F_LOOKUP_TABLE // of IPv6 the answer has the table always
	}
	message := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: family(to.Addr()), Dst_len: uint8(to.Addr().BitLen()), Flags: flags,
	}}
	data := []nl.NetlinkRequestData{
		message,
		nl.NewRtAttr(unix.RTA_DST, to.Addr().AsSlice()),
		nl.NewRtAttr(unix.RTA_IP_PROTO, []byte{unix.IPPROTO_TCP}),
		nl.NewRtAttr(unix.RTA_DPORT, binary.BigEndian.AppendUint16(nil, to.Port())),
	}
	if from.IsValid() {
		message.Src_len = uint8(from.BitLen())
		data = append(data, nl.NewRtAttr(unix.RTA_SRC, from.AsSlice()))
	}
	payload, err := c.one(unix.RTM_GETROUTE, 0, data...)
	if err != nil {
		return Route{}, err
	}
	return parseRoute(payload)
}

// Routes are the routes of all tables, of the IP version of the address.
func (c *Conn) Routes(like netip.Addr) ([]Route, error) {
	answers, err := c.dump(unix.RTM_GETROUTE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: family(like)}})
	if err != nil {
		return nil, err
	}
	routes := make([]Route, 0, len(answers))
	for _, payload := range answers {
		route, err := parseRoute(payload)
		if err != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func family(addr netip.Addr) uint8 {
	if addr.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// parseRoute decodes a struct rtmsg with its attributes.
func parseRoute(payload []byte) (Route, error) {
	if len(payload) < unix.SizeofRtMsg {
		return Route{}, fmt.Errorf("rtnetlink: a route in %d bytes", len(payload))
	}
	header := nl.DeserializeRtMsg(payload)
	attrs, err := nl.ParseRouteAttrAsMap(payload[unix.SizeofRtMsg:])
	if err != nil {
		return Route{}, err
	}
	r := Route{
		Dst:    prefix(header.Family, attrs[unix.RTA_DST].Value, header.Dst_len),
		Type:   int(header.Type),
		Table:  number(attrs[unix.RTA_TABLE], int(header.Table)),
		Metric: number(attrs[unix.RTA_PRIORITY], 0),
	}
	r.Src, _ = netip.AddrFromSlice(attrs[unix.RTA_PREFSRC].Value)
	if out := number(attrs[unix.RTA_OIF], 0); out != 0 {
		r.Out = append(r.Out, out)
	}
	for hops := attrs[unix.RTA_MULTIPATH].Value; len(hops) >= unix.SizeofRtNexthop; {
		hop := nl.DeserializeRtNexthop(hops)
		r.Out = append(r.Out, int(hop.Ifindex))
		size := (int(hop.RtNexthop.Len) + 3) &^ 3 // RTNH_ALIGN
		if size < unix.SizeofRtNexthop || size > len(hops) {
			break
		}
		hops = hops[size:]
	}
	return r, nil
}

// prefix is a destination or source; one that has no attribute is any address.
func prefix(family uint8, value []byte, bits uint8) netip.Prefix {
	addr, ok := netip.AddrFromSlice(value)
	if !ok {
		addr = netip.IPv4Unspecified()
		if family == unix.AF_INET6 {
			addr = netip.IPv6Unspecified()
		}
	}
	return netip.PrefixFrom(addr, int(bits))
}

// number is an attribute of 32 bits, or missing where it is not there.
func number(attr syscall.NetlinkRouteAttr, missing int) int {
	if len(attr.Value) < 4 {
		return missing
	}
	return int(nl.NativeEndian().Uint32(attr.Value))
}
