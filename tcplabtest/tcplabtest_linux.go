package tcplabtest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// FullListener returns an address, as in "127.0.0.1:41234", that accepts no
// connection and refuses none, until the test ends. It fails the test if that
// cannot be had.
func FullListener(t testing.TB) string {
	t.Helper()
	s, err := newSockets()
	if err == nil {
		t.Cleanup(s.close)
		err = s.fill()
	}
	if err != nil {
		t.Fatalf("tcplabtest: making a full listener: %v", err)
	}
	return s.addr.String()
}

// ClosedPort returns an address, as in "127.0.0.1:41234", at which nobody
// listens, nor can until the test ends: each SYN is answered with RST, and
// connect(2) fails at once with ECONNREFUSED. It fails the test if that cannot
// be had.
func ClosedPort(t testing.TB) string {
	t.Helper()
	s, err := newSockets()
	if err != nil {
		t.Fatalf("tcplabtest: taking a port: %v", err)
	}
	t.Cleanup(s.close)
	return s.addr.String()
}

// sockets are those behind an address.
type sockets struct {
	fds  []int // the first one is bound to addr
	addr netip.AddrPort
}

// newSockets binds a socket to a free port.
func newSockets() (*sockets, error) {
	s := new(sockets)
	fd, err := s.socket()
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("binding a socket to 127.0.0.1: %w", err)
	}
	name, err := unix.Getsockname(fd)
	bound, ok := name.(*unix.SockaddrInet4)
	if !ok {
		s.close()
		return nil, fmt.Errorf("asking which port a socket has: %w", errors.Join(err, unix.EAFNOSUPPORT))
	}
	s.addr = netip.AddrPortFrom(netip.AddrFrom4(bound.Addr), uint16(bound.Port))
	return s, nil
}

func (s *sockets) socket() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		s.fds = append(s.fds, fd)
	}
	return fd, err
}

func (s *sockets) close() {
	for _, fd := range s.fds {
		_ = unix.Close(fd)
	}
}

const (
	fillTime   = 10 * time.Second // for each connection; loopback takes microseconds
	mostFilled = 16               // connections; Linux needs one
)

// fill listens with backlog 0 and connects until the accept queue is full.
func (s *sockets) fill() error {
	listener := s.fds[0]
	if err := unix.Listen(listener, 0); err != nil {
		return fmt.Errorf("listening at %v: %w", s.addr, err)
	}
	for n := range mostFilled {
		queued, limit, err := acceptQueue(listener)
		switch {
		case err != nil:
			return fmt.Errorf("asking how many connections wait for accept: %w", err)
		case queued > limit: // sk_acceptq_is_full
			return nil
		}
		if err := s.connect(queued); err != nil {
			return fmt.Errorf("filling the accept queue, connection %d: %w", n+1, err)
		}
	}
	return fmt.Errorf("%d connections do not fill an accept queue with backlog 0: this kernel is not Linux, perhaps", mostFilled)
}

// connect makes a connection and waits until more than queued of them wait for
// accept.
func (s *sockets) connect(queued uint32) error {
	fd, err := s.socket()
	if err != nil {
		return err
	}
	to := &unix.SockaddrInet4{Addr: s.addr.Addr().As4(), Port: int(s.addr.Port())}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	// The client is connected before its final ACK has come; the length tells.
	for deadline := time.Now().Add(fillTime); ; time.Sleep(time.Millisecond) {
		now, _, err := acceptQueue(s.fds[0])
		switch {
		case err != nil:
			return err
		case now > queued:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("not queued after %v: %w", fillTime, os.ErrDeadlineExceeded)
		}
	}
}

// acceptQueue is the length of a listening socket's accept queue and its
// backlog, which tcp_get_info has in these places.
func acceptQueue(fd int) (queued, limit uint32, err error) {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, err
	}
	return info.Unacked, info.Sacked, nil
}
