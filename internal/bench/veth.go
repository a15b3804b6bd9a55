package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"tcplab/internal/netns"
)

// pair makes a namespace for the clients of a kernel in another one, and a veth
// pair between the two, with the addresses that the other sites have.
func pair(server *netns.Namespace) (client *netns.Namespace, err error) {
	client, err = netns.New("")
	if err != nil {
		return nil, err
	}
	const ours, theirs = "bench0", "bench1"
	err = server.Do(func() error {
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: ours, MTU: mtu}, PeerName: theirs}
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("making a veth pair: %w", err)
		}
		return errors.Join(give(ours, serverSide), client.Take(theirs), clients(ours))
	})
	if err == nil {
		err = client.Do(func() error { return give(theirs, hostSide) })
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

// give gives an interface an address and brings it up.
func give(name string, addr netip.Prefix) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding %s: %w", name, err)
	}
	parsed, err := netlink.ParseAddr(addr.String())
	if err != nil {
		return err
	}
	if err := errors.Join(netlink.AddrAdd(link, parsed), netlink.LinkSetUp(link)); err != nil {
		return fmt.Errorf("configuring %s: %w", name, err)
	}
	return nil
}

// clients routes the addresses that a flood comes from through an interface: a
// kernel drops what comes from an address that it has no way to.
func clients(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	var errs []error
	for _, from := range []string{"198.51.100.0/24", "203.0.113.0/24"} { // as netns.Flood
		_, network, err := net.ParseCIDR(from)
		if err == nil {
			err = netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: network, Gw: hostSide.Addr().AsSlice()})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
