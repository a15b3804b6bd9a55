package stack

import (
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// nic is the one interface that netstack has.
const nic tcpip.NICID = 1

// newNetstack makes a netstack with link as its only interface and addrs as its
// addresses. Everything that is not on the link is reached through it.
func newNetstack(link gstack.LinkEndpoint, addrs []netip.Prefix) (*gstack.Stack, error) {
	// Without duplicate address detection, which would keep the IPv6 address from
	// use for a second: there is nobody else on the link.
	v6 := ipv6.NewProtocolWithOptions(ipv6.Options{DADConfigs: gstack.DADConfigurations{DupAddrDetectTransmits: 0}})
	ns := gstack.New(gstack.Options{
		NetworkProtocols:   []gstack.NetworkProtocolFactory{ipv4.NewProtocol, v6},
		TransportProtocols: []gstack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6},
	})
	if err := setup(ns, link, addrs); err != nil {
		ns.Destroy()
		return nil, err
	}
	return ns, nil
}

func setup(ns *gstack.Stack, link gstack.LinkEndpoint, addrs []netip.Prefix) error {
	// SACK is off by default; every client that matters offers it.
	sack := tcpip.TCPSACKEnabled(true)
	if err := ns.SetTransportProtocolOption(tcp.ProtocolNumber, &sack); err != nil {
		return fmt.Errorf("turning SACK on: %w", goError(err))
	}
	// RACK as shipped halves the throughput of a TUN device at MTU 1500.
	recovery := tcpip.TCPRecovery(0)
	if err := ns.SetTransportProtocolOption(tcp.ProtocolNumber, &recovery); err != nil {
		return fmt.Errorf("turning RACK off: %w", goError(err))
	}
	// Grow receive buffers with the connection's speed, as hosts do.
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	if err := ns.SetTransportProtocolOption(tcp.ProtocolNumber, &moderate); err != nil {
		return fmt.Errorf("turning receive buffer tuning on: %w", goError(err))
	}

	if err := ns.CreateNIC(nic, link); err != nil {
		return fmt.Errorf("creating the network interface: %w", goError(err))
	}
	var routes []tcpip.Route
	for _, addr := range addrs {
		protocol, everything := ipv4.ProtocolNumber, header.IPv4EmptySubnet
		if addr.Addr().Is6() {
			protocol, everything = ipv6.ProtocolNumber, header.IPv6EmptySubnet
		}
		address := tcpip.ProtocolAddress{
			Protocol: protocol,
			AddressWithPrefix: tcpip.AddressWithPrefix{
				Address:   tcpip.AddrFromSlice(addr.Addr().AsSlice()),
				PrefixLen: addr.Bits(),
			},
		}
		if err := ns.AddProtocolAddress(nic, address, gstack.AddressProperties{}); err != nil {
			return fmt.Errorf("adding address %v: %w", addr, goError(err))
		}
		routes = append(routes, tcpip.Route{Destination: everything, NIC: nic})
	}
	ns.SetRouteTable(routes)
	return nil
}

// goError turns netstack's own kind of error into Go's.
func goError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return netstackError{err}
}

type netstackError struct{ err tcpip.Error }

func (e netstackError) Error() string { return "netstack: " + e.err.String() }
