package tun

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// Changes says what somebody has changed of the interface since it was made, and
// how to undo it: a sentence each. The error is that the interface cannot be
// looked at.
func (d *Device) Changes() ([]string, error) {
	fail := func(err error) ([]string, error) {
		return nil, &Error{Op: "looking at interface", Name: d.name, Err: err}
	}
	link, err := d.links.LinkByIndex(d.index)
	if err != nil {
		return fail(err)
	}
	addrs, err := d.links.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return fail(err)
	}
	var changes []string
	if link.Attrs().Flags&net.FlagUp == 0 {
		changes = append(changes, fmt.Sprintf("%s is down, nothing comes through it: ip link set %s up", d.name, d.name))
	}
	for _, host := range d.host {
		if !hasAddr(addrs, ipNet(host)) {
			changes = append(changes, fmt.Sprintf("the host's address %v was taken from %s, the endpoint is not reached through it: ip addr add %v dev %s",
				host, d.name, host, d.name))
		}
	}
	if mtu := link.Attrs().MTU; mtu != d.mtu {
		changes = append(changes, fmt.Sprintf("the mtu of %s is %d; the endpoint goes on with %d, as it was made: ip link set %s mtu %d",
			d.name, mtu, d.mtu, d.name, d.mtu))
	}
	return changes, nil
}

func hasAddr(addrs []netlink.Addr, addr *net.IPNet) bool {
	for _, a := range addrs {
		if a.IPNet.String() == addr.String() {
			return true
		}
	}
	return false
}
