package compare

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/netns"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/stack"
	"tcplab/tun"
)

// ourServer is tcplab's listener with the profile linux, in a network namespace.
// The wire is the host's end of its TUN interface, by a packet socket: the
// clients' addresses are nobody's there, so the host's kernel takes no part.
type ourServer struct {
	ns       *netns.Namespace
	stack    *stack.Stack
	listener *listener.Listener
	accepted []net.Conn
	wire     *os.File // the packet socket
	raw      syscall.RawConn
	to       unix.SockaddrLinklayer
}

func newOurServer() (server, error) {
	ns, err := netns.New("")
	if err != nil {
		return nil, err
	}
	s := &ourServer{ns: ns}
	if err := ns.Do(s.build); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

const wireName = "wire0"

// build makes the interface, the stack on it and the packet socket.
func (s *ourServer) build() error {
	host := netip.PrefixFrom(subnet.Addr().Next(), subnet.Bits())
	dev, err := tun.Create(tun.Config{Name: wireName, Host: []netip.Prefix{host}})
	if err != nil {
		return err
	}
	s.stack, err = stack.New(dev, stack.Config{Addrs: []netip.Prefix{netip.PrefixFrom(serverAddr.Addr(), subnet.Bits())}})
	if err != nil {
		return errors.Join(err, dev.Close())
	}
	index, err := net.InterfaceByName(wireName)
	if err != nil {
		return err
	}
	const protocol = unix.ETH_P_IP<<8&0xff00 | unix.ETH_P_IP>>8 // in network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return fmt.Errorf("opening a packet socket: %w", err)
	}
	s.to = unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index.Index}
	s.wire = os.NewFile(uintptr(fd), "wire")
	if err := unix.Bind(fd, &s.to); err != nil {
		return fmt.Errorf("binding the packet socket: %w", err)
	}
	s.raw, err = s.wire.SyscallConn()
	return err
}

func (s *ourServer) config(settings map[string]int) listener.Config {
	retries := settings["tcp_synack_retries"]
	return listener.Config{
		Profile: profiles.Linux,
		Settings: backlog.Settings{
			Backlog:         settings["backlog"],
			Somaxconn:       settings["somaxconn"],
			MaxSynBacklog:   settings["tcp_max_syn_backlog"],
			Syncookies:      settings["tcp_syncookies"],
			AbortOnOverflow: settings["tcp_abort_on_overflow"] != 0,
			DeferAccept:     profiles.DeferTimeouts(time.Duration(settings["defer_accept"]) * time.Second),
		},
		SYNACKRetries: &retries,
	}
}

func (s *ourServer) listen(settings map[string]int) error {
	open := func(segments listener.Segments) (listener.Port, error) {
		p, err := s.stack.Open(serverAddr.Port(), segments)
		if err != nil {
			return nil, err
		}
		return p, nil
	}
	l, err := listener.Listen(open, s.config(settings))
	s.listener = l
	return err
}

func (s *ourServer) setBacklog(n int) error {
	cfg := s.listener.Config()
	cfg.Settings.Backlog = n
	return s.listener.Configure(cfg)
}

// acceptTimeout bounds how long the adoption of a connection in the completed
// queue may take.
const acceptTimeout = 10 * time.Second

func (s *ourServer) accept() (netip.AddrPort, error) {
	if counts, _, _ := s.listener.Counts(); counts.Completed == 0 {
		return netip.AddrPort{}, errNothing
	}
	ctx, cancel := context.WithTimeout(context.Background(), acceptTimeout)
	defer cancel()
	conn, err := s.listener.AcceptContext(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	s.accepted = append(s.accepted, conn)
	return conn.RemoteAddr().(*net.TCPAddr).AddrPort(), nil
}

func (s *ourServer) finish() error {
	if len(s.accepted) == 0 {
		return errors.New("finish before accept")
	}
	conn := s.accepted[0]
	s.accepted = s.accepted[1:]
	return conn.Close()
}

func (s *ourServer) closeListener() error {
	l := s.listener
	s.listener = nil
	return l.Close()
}

func (s *ourServer) counters() (map[string]uint64, error) {
	if s.listener == nil {
		return map[string]uint64{}, nil
	}
	counters, link := s.listener.Snapshot(0).Counters, s.stack.Counters()
	counters["OutRsts"] = link[stack.OutRsts]
	counters["InSegs"], counters["OutSegs"] = link[stack.InSegs], link[stack.OutSegs]-link[stack.RetransSegs]
	counters["RetransSegs"] = link[stack.RetransSegs] + counters["TCPSynRetrans"]
	counters["EstabResets"] = link[stack.EstabResets]
	counters["TCPChallengeACK"] += link[stack.ChallengeACKs]
	counters["TCPACKSkippedTimeWait"] = link[stack.ACKsSkippedTimeWait]
	counters["InErrs"] = link[stack.InTCPErrors] + link[stack.NetstackErrors] + link[stack.NetstackCsumErrors]
	counters["InCsumErrors"] = link[stack.InCsumErrors] + link[stack.NetstackCsumErrors]
	return counters, nil
}

func (s *ourServer) send(packet []byte) error {
	var sendErr error
	err := s.raw.Write(func(fd uintptr) bool {
		sendErr = unix.Sendto(int(fd), packet, 0, &s.to)
		return !errors.Is(sendErr, unix.EAGAIN)
	})
	return errors.Join(err, sendErr)
}

// receive skips what we sent ourselves.
func (s *ourServer) receive(buf []byte) (int, error) {
	for {
		var n int
		var from unix.Sockaddr
		var recvErr error
		err := s.raw.Read(func(fd uintptr) bool {
			n, from, recvErr = unix.Recvfrom(int(fd), buf, 0)
			return !errors.Is(recvErr, unix.EAGAIN)
		})
		if err := errors.Join(err, recvErr); err != nil {
			return 0, err
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
			return n, nil
		}
	}
}

func (s *ourServer) close() error {
	var errs []error
	if s.wire != nil {
		errs = append(errs, s.wire.Close())
	}
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	for _, conn := range s.accepted {
		errs = append(errs, conn.Close())
	}
	if s.stack != nil {
		errs = append(errs, s.stack.Close())
	}
	return errors.Join(append(errs, s.ns.Close())...)
}
