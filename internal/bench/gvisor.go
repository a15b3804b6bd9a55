package bench

import (
	"fmt"
	"net"
	"syscall"

	"github.com/songgao/water"
	"github.com/vishvananda/netlink"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// openGVisor opens gVisor's own listener as somebody would who follows its
// documentation: fdbased on a TUN interface, gonet on a stack with its defaults.
func (s *site) openGVisor(*Order) error {
	fd, err := s.plainTUN()
	if err != nil {
		return err
	}
	link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: mtu})
	if err != nil {
		return fmt.Errorf("opening fdbased: %w", err)
	}
	ns := gstack.New(gstack.Options{
		NetworkProtocols:   []gstack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []gstack.TransportProtocolFactory{tcp.NewProtocol},
	})
	s.closers = append(s.closers, func() error { ns.Close(); return nil })
	if err := ns.CreateNIC(1, link); err != nil {
		return fmt.Errorf("creating gVisor's interface: %v", err)
	}
	local := tcpip.AddrFrom4(serverSide.Addr().As4())
	err2 := ns.AddProtocolAddress(1, tcpip.ProtocolAddress{
		Protocol: ipv4.ProtocolNumber, AddressWithPrefix: local.WithPrefix(),
	}, gstack.AddressProperties{})
	if err2 != nil {
		return fmt.Errorf("adding gVisor's address: %v", err2)
	}
	ns.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	for _, port := range ports {
		l, err := gonet.ListenTCP(ns, tcpip.FullAddress{NIC: 1, Addr: local, Port: port}, ipv4.ProtocolNumber)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, net.Listener(l))
	}
	s.count = func(u *Usage) {
		stats := ns.Stats().TCP
		u.SYNs = stats.ListenOverflowSynDrop.Value() + stats.ListenOverflowSynCookieSent.Value()
	}
	return nil
}

// plainTUN makes an interface without offload and returns its descriptor.
func (s *site) plainTUN() (fd int, err error) {
	ifce, err := water.New(water.Config{
		DeviceType: water.TUN, PlatformSpecificParams: water.PlatformSpecificParams{Name: device},
	})
	if err != nil {
		return -1, fmt.Errorf("making a TUN interface: %w", err)
	}
	s.closers = append(s.closers, ifce.Close)
	raw, err := ifce.ReadWriteCloser.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(number uintptr) { fd = int(number) })
	}
	if err != nil {
		return -1, err
	}
	link, err := netlink.LinkByName(device)
	if err != nil {
		return -1, err
	}
	addr, err := netlink.ParseAddr(hostSide.String())
	if err != nil {
		return -1, err
	}
	const queueLen = 10000 // as tcplab's
	for _, err := range []error{
		netlink.LinkSetTxQLen(link, queueLen), netlink.AddrAdd(link, addr), netlink.LinkSetUp(link),
	} {
		if err != nil {
			return -1, fmt.Errorf("configuring %s: %w", device, err)
		}
	}
	return fd, nil
}
