package main

import (
	"errors"
	"net/netip"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tcplab/internal/endpoint"
)

// linkFlags are the flags for the interface and its addresses.
type linkFlags struct {
	config *endpoint.Config
	v4, v6 family

	offload bool
}

// family are the flags for one version of IP.
type family struct {
	wanted             bool
	name               string // of the flag that turns it on and off
	hostFlag, addrFlag string
	host               netip.Prefix
	addr               netip.Addr
}

// addLinkFlags adds them; finish is called when they are parsed.
func addLinkFlags(c *cobra.Command, config *endpoint.Config) *linkFlags {
	f := &linkFlags{
		config: config,
		v4:     newFamily("ipv4", "host", "addr", endpoint.DefaultHost),
		v6:     newFamily("ipv6", "host6", "addr6", endpoint.DefaultHost6),
	}
	f.v6.wanted = endpoint.HasIPv6()
	flags := c.Flags()
	flags.StringVar(&config.Dev, "dev", config.Dev, "`name` of the interface")
	f.v4.add(flags, "IPv4")
	f.v6.add(flags, "IPv6")
	flags.Var(value[int]{&config.MTU, parseCount, "bytes"}, "mtu", "largest packet on the interface")
	flags.BoolVar(&f.offload, "offload", true, "let TCP segments be larger than that and leave checksums unfinished, where the kernel can; --offload=false shows in tcpdump what a network card would send")
	return f
}

func newFamily(name, hostFlag, addrFlag string, host netip.Prefix) family {
	addr, _ := endpoint.Neighbour(host) // there is one
	return family{wanted: true, name: name, hostFlag: hostFlag, addrFlag: addrFlag, host: host, addr: addr}
}

func (f *family) add(flags *pflag.FlagSet, version string) {
	flags.Var(value[netip.Prefix]{&f.host, parseHost, "address/bits"}, f.hostFlag, "the host's "+version+" end of the interface, with its subnet")
	flags.Var(value[netip.Addr]{&f.addr, parseAddr, "address"}, f.addrFlag,
		"the endpoint's address in that subnet; the host's neighbour if only --"+f.hostFlag+" is given")
	flags.BoolVar(&f.wanted, f.name, f.wanted, "serve "+version)
}

// link is what the flags say; false if this version of IP is not wanted.
func (f *family) link(flags *pflag.FlagSet) (link endpoint.Link, wanted bool, err error) {
	hostGiven, addrGiven := flags.Changed(f.hostFlag), flags.Changed(f.addrFlag)
	if !f.wanted && flags.Changed(f.name) {
		if hostGiven || addrGiven {
			return link, false, errors.New("--" + f.name + "=false and an address for it: give one or the other")
		}
		return link, false, nil
	}
	if !f.wanted && !hostGiven && !addrGiven {
		return link, false, nil
	}
	if hostGiven && !addrGiven {
		f.addr, err = endpoint.Neighbour(f.host)
	}
	return endpoint.Link{Host: f.host, Addr: f.addr}, true, err
}

// finish completes and checks the configuration.
func (f *linkFlags) finish(c *cobra.Command) error {
	f.config.NoOffload = !f.offload
	f.config.Links = nil
	for _, family := range []*family{&f.v4, &f.v6} {
		link, wanted, err := family.link(c.Flags())
		if err != nil {
			return badUsage(c, err)
		}
		if wanted {
			f.config.Links = append(f.config.Links, link)
		}
	}
	if err := f.config.Check(); err != nil {
		return badUsage(c, err)
	}
	return nil
}
