package syn

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// socket is a packet socket on an interface: it sends IP packets there, and
// receives those of one family that come from there.
type socket struct {
	*os.File
	raw syscall.RawConn
	to  unix.SockaddrLinklayer
}

// receiveBuffer holds the answers to many SYNs, in bytes.
const receiveBuffer = 32 << 20

func openSocket(dev string, to netip.Addr) (*socket, error) {
	device, err := net.InterfaceByName(dev)
	if err != nil {
		return nil, fmt.Errorf("looking for the interface %s: %w", dev, err)
	}
	protocol := uint16(unix.ETH_P_IP)
	if to.Is6() {
		protocol = unix.ETH_P_IPV6
	}
	protocol = protocol<<8 | protocol>>8 // in network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("making a packet socket: %w: crafted packets need root (CAP_NET_RAW): use sudo", err)
		}
		return nil, fmt.Errorf("making a packet socket: %w", err)
	}
	address := unix.SockaddrLinklayer{Protocol: protocol, Ifindex: device.Index}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) // without it answers are missed, if many come at once
	if err := unix.Bind(fd, &address); err != nil {
		return nil, errors.Join(fmt.Errorf("binding a packet socket to %s: %w", dev, err), unix.Close(fd))
	}
	file := os.NewFile(uintptr(fd), "packet:"+dev)
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &socket{file, raw, address}, nil
}

// send sends a packet. With the interface's queue full that is ENOBUFS. It may
// be called by many goroutines.
func (s *socket) send(packet []byte) error {
	var sent error
	to := s.to // Sendto writes to it
	err := s.raw.Control(func(fd uintptr) { sent = unix.Sendto(int(fd), packet, 0, &to) })
	return errors.Join(err, sent)
}

// forwards says how to turn off that the host forwards what comes from dev; ""
// if it does not.
func forwards(dev string, to netip.Addr) string {
	name := "ipv4.conf." + dev + ".forwarding"
	if to.Is6() {
		name = "ipv6.conf.all.forwarding"
	}
	text, err := os.ReadFile("/proc/sys/net/" + strings.ReplaceAll(name, ".", "/")) // dev has no dot: tun refuses it
	if err != nil || strings.TrimSpace(string(text)) == "0" {
		return ""
	}
	return "sysctl -w net." + name + "=0"
}
