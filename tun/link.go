package tun

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tcplab/internal/rtnetlink"
)

// configure gives a new interface what cfg says and brings it up.
func (d *Device) configure(links *netlink.Handle, cfg Config) error {
	fail := func(op string, err error) error {
		return &Error{Op: op, Name: d.made.name, Err: err, Hint: hintFor(err)}
	}
	link, err := links.LinkByName(d.ifce.Name())
	if err != nil {
		return fail("finding interface", err)
	}
	d.index = link.Attrs().Index
	_ = links.LinkAddAltName(link, d.mark)
	if d.offload {
		if err := links.LinkSetName(link, d.made.name); err != nil {
			return fail("naming interface", err)
		}
		step("named")
	}
	if err := links.LinkSetMTU(link, cfg.MTU); err != nil {
		return fail(fmt.Sprintf("setting MTU %d of interface", cfg.MTU), err)
	}
	if err := links.LinkSetTxQLen(link, cfg.QueueLen); err != nil {
		return fail(fmt.Sprintf("setting queue length %d of interface", cfg.QueueLen), err)
	}
	switchIPv6(d.made.name, cfg.Host)
	for _, host := range cfg.Host {
		addr := &netlink.Addr{IPNet: ipNet(host)}
		if host.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD // nobody else is on this link
		}
		if err := links.AddrAdd(link, addr); err != nil {
			return fail(fmt.Sprintf("giving address %v to interface", host), err)
		}
	}
	if err := links.LinkSetUp(link); err != nil {
		return fail("bringing up interface", err)
	}
	step("up")
	up, err := d.find()
	if err != nil {
		return fail("looking at interface", err)
	}
	d.made.qdisc = up.Qdisc
	return nil
}

// switchIPv6 turns IPv6 on for an interface that gets an IPv6 address, whatever
// the default for new ones is, and off for one that does not: the kernel would
// send router solicitations and multicast listener reports, and nobody listens.
// Where the switch is missing there is no IPv6.
func switchIPv6(name string, host []netip.Prefix) {
	disable := "1"
	for _, addr := range host {
		if addr.Addr().Is6() {
			disable = "0"
		}
	}
	_ = os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", name, "disable_ipv6"), []byte(disable), 0)
}

// goneTimeout bounds how long the kernel may take to remove the interface.
const goneTimeout = 5 * time.Second

// awaitGone waits until the interface is no more.
func (d *Device) awaitGone(link *rtnetlink.Link) error {
	if link == nil {
		return nil
	}
	for deadline := time.Now().Add(goneTimeout); ; time.Sleep(time.Millisecond) {
		_, err := d.kernel.LinkByIndex(link.Index)
		switch {
		case errors.Is(err, unix.ENODEV):
			return nil
		case time.Now().After(deadline):
			return &Error{Op: "removing interface", Name: d.made.name, Err: errors.Join(errors.New("it is still there"), err),
				Hint: "another process holds it open, perhaps"}
		}
	}
}

// nameFree says if no interface has this name.
func nameFree(links *netlink.Handle, name string) error {
	_, err := links.LinkByName(name)
	var missing netlink.LinkNotFoundError
	switch {
	case err == nil:
		return ErrExists
	case errors.As(err, &missing):
		return nil
	}
	return err
}

// addressesFree says if no other interface has one of the addresses, or a route
// to one of their subnets.
func addressesFree(links *netlink.Handle, hosts []netip.Prefix) error {
	routes, err := links.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, route := range routes {
		if route.Dst == nil || route.Type != unix.RTN_UNICAST {
			continue
		}
		taken, ok := netip.AddrFromSlice(route.Dst.IP)
		bits, _ := route.Dst.Mask.Size()
		if !ok || bits == 0 {
			continue // a default route does not mind
		}
		for _, host := range hosts {
			if netip.PrefixFrom(taken.Unmap(), bits).Overlaps(host.Masked()) {
				return fmt.Errorf("%w: %v is routed to interface %s already", ErrRouted, route.Dst, linkName(links, route.LinkIndex))
			}
		}
	}
	addrs, err := links.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		taken, _ := netip.AddrFromSlice(addr.IP)
		for _, host := range hosts {
			if taken.Unmap() == host.Addr() {
				return fmt.Errorf("%w: interface %s has %v already", ErrRouted, linkName(links, addr.LinkIndex), host.Addr())
			}
		}
	}
	return nil
}

func linkName(links *netlink.Handle, index int) string {
	link, err := links.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("number %d", index)
	}
	return link.Attrs().Name
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
