package tun

import (
	"fmt"
	"net"
	"net/netip"

	"tcplab/internal/rtnetlink"
)

// made is the interface as it was made.
type made struct {
	name     string
	mtu      int
	queueLen int
	qdisc    string           // once it was up
	host     []netip.Prefix   // the host's addresses on it
	peers    []netip.AddrPort // see Config.Peers
}

// found is the interface as it is now, beside how it was made.
type found struct {
	made  *made
	link  *rtnetlink.Link
	addrs []rtnetlink.Addr // of all interfaces
}

// linkChanges says what is other than it was made of the interface itself, in the
// order in which it is to be undone: addresses of IPv6 need its MTU, for example.
func (f *found) linkChanges() (changes []string) {
	say := func(format string, args ...any) { changes = append(changes, fmt.Sprintf(format, args...)) }
	name := f.link.Name
	if f.link.MasterIndex != 0 {
		say("%s was put under another interface, which takes its routes: ip link set %s nomaster", name, name)
	}
	if mtu := f.link.MTU; mtu != f.made.mtu {
		no6 := ""
		if mtu < minMTU6 && f.has6() {
			no6 = fmt.Sprintf(", too small for IPv6, which needs %d", minMTU6)
		}
		say("the mtu of %s is %d%s; the endpoint goes on with %d, as it was made: ip link set %s mtu %d",
			name, mtu, no6, f.made.mtu, name, f.made.mtu)
	}
	if queue := f.link.TxQLen; queue < f.made.queueLen {
		say("the queue of %s holds %d packets, what comes faster than it is read is lost: ip link set %s txqueuelen %d",
			name, queue, name, f.made.queueLen)
	}
	if f.link.Flags&net.FlagUp == 0 {
		say("%s is down, nothing comes through it: ip link set %s up", name, name)
	} else if f.made.qdisc != "" && f.link.Qdisc != f.made.qdisc {
		say("the queueing discipline of %s is %s, which may drop and delay; it was %s: tc qdisc del dev %s root",
			name, f.link.Qdisc, f.made.qdisc, name)
	}
	if !f.link.Carrier {
		say("%s has no carrier, nothing comes through it: ip link set %s carrier on", name, name)
	}
	if f.link.NoIPv6 && f.has6() {
		say("IPv6 is switched off for %s: sysctl -w net.ipv6.conf.%s.disable_ipv6=0", name, name)
	}
	return changes
}

// addrChanges says which of the host's addresses are not on the interface.
func (f *found) addrChanges() (changes []string) {
	for _, host := range f.made.host {
		instead, there := f.addr(host)
		if there {
			continue
		}
		undo := ""
		if instead.IsValid() && host.Addr().Is6() { // the kernel refuses one address twice
			undo = fmt.Sprintf("ip addr del %v dev %s && ", instead, f.link.Name)
		}
		changes = append(changes, fmt.Sprintf("the host's address %v was taken from %s, the endpoint is not reached through it: %sip addr add %v dev %s",
			host, f.link.Name, undo, host, f.link.Name))
	}
	return changes
}

// addr reports whether the interface has an address of the host's; instead is the
// same address with another prefix length.
func (f *found) addr(host netip.Prefix) (instead netip.Prefix, there bool) {
	for _, addr := range f.addrs {
		switch {
		case addr.Index != f.link.Index:
		case addr.Prefix == host:
			return addr.Prefix, true
		case addr.Addr() == host.Addr():
			instead = addr.Prefix
		}
	}
	return instead, false
}

// nameChange comes last: the commands before it have the name that holds now.
func (f *found) nameChange() []string {
	if f.link.Name == f.made.name {
		return nil
	}
	return []string{fmt.Sprintf("%s is called %s now: ip link set %s name %s", f.made.name, f.link.Name, f.link.Name, f.made.name)}
}

func (f *found) has6() bool {
	for _, host := range f.made.host {
		if host.Addr().Is6() {
			return true
		}
	}
	return false
}
