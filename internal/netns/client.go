package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Client is a TCP client of the namespace's kernel: its connect has been called
// and may still be under way.
type Client struct {
	file *os.File // the non-blocking socket, on the runtime's poller
	raw  syscall.RawConn
	addr netip.AddrPort
}

// Connect begins to connect to addr from inside the namespace and returns at
// once.
func (n *Namespace) Connect(addr netip.AddrPort) (*Client, error) {
	fd, err := n.socket(addr.Addr())
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	if err := unix.Connect(fd, sockaddr(addr)); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("connecting to %v: %w", addr, err)
	}
	return newClient(fd, addr)
}

func newClient(fd int, addr netip.AddrPort) (*Client, error) {
	file := os.NewFile(uintptr(fd), "tcp:"+addr.String())
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Client{file: file, raw: raw, addr: addr}, nil
}

// socket makes a non-blocking TCP socket that belongs to the namespace.
func (n *Namespace) socket(addr netip.Addr) (int, error) {
	family := unix.AF_INET
	if addr.Is6() {
		family = unix.AF_INET6
	}
	fd := -1
	err := n.Do(func() error {
		var err error
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return err
	})
	return fd, err
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if addr.Addr().Is6() {
		return &unix.SockaddrInet6{Addr: addr.Addr().As16(), Port: int(addr.Port())}
	}
	return &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}
}

// State is a TCP state as the kernel numbers them (include/net/tcp_states.h).
type State uint8

// The states that a client is in.
const (
	Established State = 1
	SYNSent     State = 2
	Closed      State = 7
	CloseWait   State = 8
)

var stateNames = map[State]string{Established: "ESTABLISHED", SYNSent: "SYN-SENT", Closed: "CLOSED", CloseWait: "CLOSE-WAIT"}

// String is the state as ss names it.
func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// State asks the kernel for the client's TCP state.
func (c *Client) State() (State, error) {
	info, err := c.Info()
	if err != nil {
		return 0, err
	}
	return State(info.State), nil
}

// Info is what the kernel tells of the client's connection (TCP_INFO).
func (c *Client) Info() (*unix.TCPInfo, error) {
	var info *unix.TCPInfo
	err := c.control(func(fd int) error {
		var err error
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	})
	return info, err
}

func (c *Client) control(fn func(fd int) error) error {
	var err error
	if controlErr := c.raw.Control(func(fd uintptr) { err = fn(int(fd)) }); controlErr != nil {
		return controlErr
	}
	return err
}

// Wait waits until the client is connected. The error is that of its connect.
func (c *Client) Wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetWriteDeadline(aLongTimeAgo) })
	defer stop()
	var connectErr error
	err := c.raw.Write(func(fd uintptr) bool {
		number, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && number != 0 {
			err = syscall.Errno(number)
		}
		if err != nil {
			connectErr = err
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil // not connected yet: wait until the socket is writable
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("connecting to %v: %w", c.addr, ctx.Err())
	case connectErr != nil:
		return fmt.Errorf("connecting to %v: %w", c.addr, connectErr)
	case err != nil:
		return fmt.Errorf("connecting to %v: %w", c.addr, err)
	}
	return nil
}

// LocalAddr is the client's own address and port.
func (c *Client) LocalAddr() (netip.AddrPort, error) {
	var name unix.Sockaddr
	err := c.control(func(fd int) error {
		var err error
		name, err = unix.Getsockname(fd)
		return err
	})
	return addrPort(name), err
}

// addrPort is a socket's address; the zero AddrPort if it is none of TCP's.
func addrPort(name unix.Sockaddr) netip.AddrPort {
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// Conn makes a net.Conn of a connected client, which is closed as a Client.
func (c *Client) Conn() (net.Conn, error) {
	conn, err := net.FileConn(c.file)
	return conn, errors.Join(err, c.file.Close())
}

// Reset closes the client with a RST.
func (c *Client) Reset() error {
	err := c.control(func(fd int) error {
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	return errors.Join(err, c.file.Close())
}

// Close closes the client.
func (c *Client) Close() error { return c.file.Close() }

// Dial connects to addr from inside the namespace.
func (n *Namespace) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	c, err := n.Connect(addr)
	if err != nil {
		return nil, err
	}
	if err := c.Wait(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c.Conn()
}
