package endpoint

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"tcplab/internal/app"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/stack"
	"tcplab/tun"
)

// Config is what an endpoint starts with. Defaults has a complete one.
type Config struct {
	Settings

	Dev   string // name of the interface
	Links []Link // at least one; at most one each of IPv4 and IPv6
	MTU   int    // bytes; zero means 1500
	// NoOffload has the host cut and sum everything itself, so that no packet is
	// larger than the MTU; see tun.Device.Offload.
	NoOffload bool
	Ports     []uint16 // at least one

	App     string        // one of app.Names
	Workers int           // connections served at once; zero means any number
	Work    time.Duration // how long each takes

	// Device carries the packets; it is closed with the endpoint. Nil: a TUN
	// interface is created in the network namespace of the calling thread.
	Device stack.Device
	Logger *slog.Logger // nil: nothing is logged
}

// Link is the subnet between the host and the endpoint.
type Link struct {
	Host netip.Prefix // the host's address with the subnet
	Addr netip.Addr   // the endpoint's address, in the same subnet
}

// prefix is the endpoint's address with the subnet.
func (l Link) prefix() netip.Prefix { return netip.PrefixFrom(l.Addr, l.Host.Bits()) }

// DefaultHost is the host's end of an endpoint that nobody said more about, in
// TEST-NET-1 (RFC 5737), which no real network uses.
var DefaultHost = netip.MustParsePrefix("192.0.2.1/24")

// DefaultHost6 is the same for IPv6, in the documentation prefix (RFC 3849).
var DefaultHost6 = netip.MustParsePrefix("2001:db8:77::1/64")

// Defaults is an endpoint of bsd's with a backlog of 8, at 192.0.2.2 and, where
// the kernel has IPv6, 2001:db8:77::2 behind tcplab0, which serves HTTP on port
// 80.
func Defaults() Config {
	links := []Link{defaultLink(DefaultHost)}
	if HasIPv6() {
		links = append(links, defaultLink(DefaultHost6))
	}
	return Config{
		Settings: Settings{
			Profile: profiles.BSD,
			// As Linux sets itself on a machine with much memory.
			Backlog:  backlog.Settings{Backlog: 8, Somaxconn: 4096, MaxSynBacklog: 2048, Syncookies: 1},
			Timeouts: defaultTimeouts,
		},
		Dev:   "tcplab0",
		Links: links,
		MTU:   1500,
		Ports: []uint16{80},
		App:   "http",
	}
}

func defaultLink(host netip.Prefix) Link {
	addr, _ := Neighbour(host) // there is one
	return Link{Host: host, Addr: addr}
}

// HasIPv6 reports whether the kernel has IPv6 in the network namespace of the
// calling thread.
func HasIPv6() bool {
	_, err := os.Stat("/proc/thread-self/net/if_inet6")
	return err == nil
}

// Neighbour is the address for an endpoint whose host has the given one: the
// next one in the subnet, or the one before where that is not free for use.
func Neighbour(host netip.Prefix) (netip.Addr, error) {
	for _, addr := range []netip.Addr{host.Addr().Next(), host.Addr().Prev()} {
		if (Link{host, addr}).check() == nil {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no address for the endpoint beside %v: give a host's address with a larger subnet, like %v", host, DefaultHost)
}

// Check says what is wrong with c, and what to give instead. It looks at c
// alone, not at the machine.
func (c *Config) Check() error {
	if c.Profile == nil {
		return fmt.Errorf("no profile given: take one of %v", profiles.Names())
	}
	if err := checkPorts(c.Ports); err != nil {
		return err
	}
	if err := checkLinks(c.Links); err != nil {
		return err
	}
	if _, err := app.Lookup(c.App); err != nil {
		return err
	}
	switch {
	case c.Workers < 0:
		return fmt.Errorf("workers %d: give at least 1, or 0 for any number", c.Workers)
	case c.Work < 0:
		return fmt.Errorf("work %v: give a positive time like 200ms, or 0", c.Work)
	}
	if c.Device != nil {
		return nil
	}
	tunConfig := c.tunConfig()
	return tunConfig.Check()
}

// Preflight looks for what would keep Up from working on this machine, in the
// network namespace of the calling thread, and changes nothing.
func (c *Config) Preflight() []tun.Problem { return tun.Preflight(c.tunConfig()) }

// watchedPorts is for how many ports the host's way to an address is looked at:
// they are alike mostly, and each costs a status three questions.
const watchedPorts = 8

// tunConfig is the interface that carries the endpoint.
func (c *Config) tunConfig() tun.Config {
	t := tun.Config{Name: c.Dev, MTU: c.MTU, Offload: !c.NoOffload}
	for _, link := range c.Links {
		t.Host = append(t.Host, link.Host)
		for _, port := range c.Ports[:min(len(c.Ports), watchedPorts)] {
			t.Peers = append(t.Peers, netip.AddrPortFrom(link.Addr, port))
		}
	}
	return t
}

func checkPorts(ports []uint16) error {
	if len(ports) == 0 {
		return fmt.Errorf("no port given: an endpoint needs at least one, 80 for example")
	}
	seen := make(map[uint16]bool)
	for _, port := range ports {
		switch {
		case port == 0:
			return fmt.Errorf("port 0: give a port from 1 to 65535")
		case seen[port]:
			return fmt.Errorf("port %d is given twice: give each port once", port)
		}
		seen[port] = true
	}
	return nil
}

func checkLinks(links []Link) error {
	if len(links) == 0 {
		return fmt.Errorf("no address given: an endpoint needs at least one, in %v for example", DefaultHost)
	}
	seen := make(map[bool]bool) // by Is4
	for _, link := range links {
		if err := link.check(); err != nil {
			return err
		}
		if seen[link.Addr.Is4()] {
			return fmt.Errorf("%v is a second address of its IP version: give one of each at most", link.Addr)
		}
		seen[link.Addr.Is4()] = true
	}
	return nil
}

// check says whether host and endpoint can talk with these addresses.
func (l Link) check() error {
	host, addr, subnet := l.Host.Addr(), l.Addr, l.Host.Masked()
	switch {
	case !l.Host.IsValid():
		return fmt.Errorf("the host's address is missing: give it with its subnet, like %v", DefaultHost)
	case !addr.IsValid():
		return fmt.Errorf("the endpoint's address is missing: give one in %v", subnet)
	case addr.Is4() != host.Is4():
		return fmt.Errorf("endpoint %v and host %v are of different IP versions: give both of one", addr, l.Host)
	case l.Host.IsSingleIP():
		return fmt.Errorf("subnet %v has no room for the endpoint: give a shorter prefix, like %v", l.Host, DefaultHost)
	case unfit(host, l.Host) != "":
		return fmt.Errorf("the host's address %v is %s: give one that a machine in %v can have", host, unfit(host, l.Host), subnet)
	case !l.Host.Contains(addr):
		return fmt.Errorf("endpoint %v is outside the host's subnet %v: give an address in it, or another end for the host", addr, subnet)
	case addr == host:
		return fmt.Errorf("%v is given for both the host and the endpoint: give two addresses of %v", addr, subnet)
	case unfit(addr, l.Host) != "":
		return fmt.Errorf("the endpoint's address %v is %s: give one that a machine in %v can have", addr, unfit(addr, l.Host), subnet)
	}
	return nil
}

// unfit says why no machine in subnet can have addr, or nothing.
func unfit(addr netip.Addr, subnet netip.Prefix) string {
	first := subnet.Masked().Addr()
	switch {
	case addr.IsUnspecified():
		return "the unspecified address"
	case addr.IsMulticast():
		return "a multicast address"
	case addr.IsLoopback():
		return "a loopback address"
	case subnet.Bits() >= addr.BitLen()-1: // two addresses, both usable (RFC 3021, RFC 6164)
		return ""
	case addr == first && addr.Is4():
		return "the address of the network itself"
	case addr == first:
		return "the routers' anycast address of the subnet"
	case addr.Is4() && !subnet.Contains(addr.Next()):
		return "the broadcast address of the subnet"
	}
	return ""
}
