package compare

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/netns"
	"tcplab/tun"
)

// kernelServer is listen(2) of the host's kernel in a network namespace, at the
// host's end of a TUN interface whose other end is the wire.
type kernelServer struct {
	ns       *netns.Namespace
	dev      *tun.Device
	listener *netns.Listener
	accepted []int
}

func newKernelServer() (server, error) {
	ns, err := netns.New("")
	if err != nil {
		return nil, err
	}
	s := &kernelServer{ns: ns}
	err = ns.Do(func() (err error) {
		s.dev, err = tun.Create(tun.Config{Name: "wire0", Host: []netip.Prefix{netip.PrefixFrom(serverAddr.Addr(), subnet.Bits())}})
		return err
	})
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return s, nil
}

func (s *kernelServer) listen(settings map[string]int) error {
	for name, value := range settings {
		file := "net/ipv4/" + name
		switch name {
		case "backlog", "defer_accept":
			continue
		case "somaxconn":
			file = "net/core/somaxconn"
		}
		if err := s.ns.Sysctl(file, strconv.Itoa(value)); err != nil {
			return err
		}
	}
	deferAccept := func(fd int) error {
		if settings["defer_accept"] == 0 {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, settings["defer_accept"])
	}
	l, err := s.ns.Listen(serverAddr, settings["backlog"], deferAccept)
	s.listener = l
	return err
}

func (s *kernelServer) setBacklog(n int) error { return s.listener.SetBacklog(n) }

func (s *kernelServer) accept() (netip.AddrPort, error) {
	fd, peer, err := s.listener.Accept()
	if errors.Is(err, unix.EAGAIN) {
		return peer, errNothing
	}
	if err != nil {
		return peer, fmt.Errorf("accept: %w", err)
	}
	s.accepted = append(s.accepted, fd)
	return peer, nil
}

func (s *kernelServer) finish() error {
	if len(s.accepted) == 0 {
		return errors.New("finish before accept")
	}
	fd := s.accepted[0]
	s.accepted = s.accepted[1:]
	return unix.Close(fd)
}

func (s *kernelServer) closeListener() error {
	l := s.listener
	s.listener = nil
	return l.Close()
}

// counters reads /proc/net/snmp and /proc/net/netstat of the namespace: pairs of
// lines, names above values.
func (s *kernelServer) counters() (map[string]uint64, error) {
	values := make(map[string]uint64)
	err := s.ns.Do(func() error {
		for _, file := range []string{"snmp", "netstat"} {
			if err := readCounters("/proc/thread-self/net/"+file, values); err != nil {
				return err
			}
		}
		return nil
	})
	return values, err
}

func readCounters(file string, values map[string]uint64) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		names := strings.Fields(lines.Text())
		if !lines.Scan() {
			break
		}
		numbers := strings.Fields(lines.Text())
		if len(names) == 0 || names[0] != "Tcp:" && names[0] != "TcpExt:" {
			continue
		}
		for i := 1; i < min(len(names), len(numbers)); i++ {
			values[names[i]], _ = strconv.ParseUint(numbers[i], 10, 64) // MaxConn is -1
		}
	}
	return lines.Err()
}

func (s *kernelServer) send(packet []byte) error {
	_, err := s.dev.Write(packet)
	return err
}

func (s *kernelServer) receive(buf []byte) (int, error) { return s.dev.Read(buf) }

func (s *kernelServer) close() error {
	var errs []error
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	for _, fd := range s.accepted {
		errs = append(errs, unix.Close(fd))
	}
	return errors.Join(append(errs, s.dev.Close(), s.ns.Close())...)
}
