package netns

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// aLongTimeAgo is a deadline that has passed.
var aLongTimeAgo = time.Unix(1, 0)

// Listener is a listening socket of the namespace's kernel, with the backlog
// that listen(2) is given.
type Listener struct{ fd int }

// Listen opens a listening socket. options may set socket options before
// listen(2) is called.
func (n *Namespace) Listen(addr netip.AddrPort, backlog int, options ...func(fd int) error) (*Listener, error) {
	fd, err := n.socket(addr.Addr())
	if err != nil {
		return nil, fmt.Errorf("making a socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil {
		err = unix.Bind(fd, sockaddr(addr))
	}
	for _, option := range options {
		if err == nil {
			err = option(fd)
		}
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("listening at %v with backlog %d: %w", addr, backlog, err)
	}
	return &Listener{fd: fd}, nil
}

// SetBacklog calls listen(2) again.
func (l *Listener) SetBacklog(backlog int) error { return unix.Listen(l.fd, backlog) }

// Accept takes a connection and returns its descriptor and its client. With none
// there, the error is unix.EAGAIN.
func (l *Listener) Accept() (fd int, client netip.AddrPort, err error) {
	fd, name, err := unix.Accept4(l.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return -1, netip.AddrPort{}, err
	}
	return fd, addrPort(name), nil
}

// Close closes the listening socket.
func (l *Listener) Close() error { return unix.Close(l.fd) }
