package main

import (
	"net/netip"

	"github.com/spf13/cobra"

	"tcplab/internal/endpoint"
)

// linkFlags are the flags for the interface and its addresses.
type linkFlags struct {
	config *endpoint.Config
	host   netip.Prefix
	addr   netip.Addr
}

// addLinkFlags adds them; finish is called when they are parsed.
func addLinkFlags(c *cobra.Command, config *endpoint.Config) *linkFlags {
	f := &linkFlags{config: config, host: config.Links[0].Host, addr: config.Links[0].Addr}
	flags := c.Flags()
	flags.StringVar(&config.Dev, "dev", config.Dev, "`name` of the interface")
	flags.Var(value[netip.Prefix]{&f.host, parseHost, "address/bits"}, "host", "the host's end of the interface, with its subnet")
	flags.Var(value[netip.Addr]{&f.addr, parseAddr, "address"}, "addr", "the endpoint's address in that subnet; the host's neighbour if only --host is given")
	flags.Var(value[int]{&config.MTU, parseCount, "bytes"}, "mtu", "largest packet on the interface")
	return f
}

// finish completes and checks the configuration.
func (f *linkFlags) finish(c *cobra.Command) error {
	if c.Flags().Changed("host") && !c.Flags().Changed("addr") {
		addr, err := endpoint.Neighbour(f.host)
		if err != nil {
			return badUsage(c, err)
		}
		f.addr = addr
	}
	f.config.Links = []endpoint.Link{{Host: f.host, Addr: f.addr}}
	if err := f.config.Check(); err != nil {
		return badUsage(c, err)
	}
	return nil
}
