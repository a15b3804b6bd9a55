package tun

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// changes compares the interface with how it was made.
func (d *Device) changes(link *netlink.LinkAttrs, addrs []netip.Prefix) []string {
	var changes []string
	if link.Flags&net.FlagUp == 0 {
		changes = append(changes, fmt.Sprintf("%s is down, nothing comes through it: ip link set %s up", d.name, d.name))
	}
	for _, host := range d.host {
		if !slices.Contains(addrs, host) {
			changes = append(changes, fmt.Sprintf("the host's address %v was taken from %s, the endpoint is not reached through it: ip addr add %v dev %s",
				host, d.name, host, d.name))
		}
	}
	if link.MTU != d.mtu {
		changes = append(changes, fmt.Sprintf("the mtu of %s is %d; the endpoint goes on with %d, as it was made: ip link set %s mtu %d",
			d.name, link.MTU, d.mtu, d.name, d.mtu))
	}
	return changes
}
