package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"

	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/stack"
	"tcplab/tun"
)

// Addresses of all sites, and the ports of their three services.
var (
	hostSide   = netip.MustParsePrefix("192.0.2.1/24")
	serverSide = netip.MustParsePrefix("192.0.2.2/24")
)

const (
	webPort = 80 + iota
	discardPort
	sourcePort
)

var ports = []uint16{webPort, discardPort, sourcePort}

const (
	device = "bench0"
	mtu    = 1500
)

// site is what serves, in its own process.
type site struct {
	listeners []net.Listener
	closers   []func() error // in the order in which they were opened
	served    server
	count     func(*Usage) // fills in what the stack counts; nil: nothing
}

// openSite opens a stack and begins to serve.
func openSite(o *Order) (*site, error) {
	s := new(site)
	open := map[Stack]func(*Order) error{
		Tcplab: s.openTcplab, GVisor: s.openGVisor, Kernel: s.openKernel, Bare: s.openBare,
	}[o.Serve]
	if open == nil {
		return nil, fmt.Errorf("no stack %q", o.Serve)
	}
	if err := open(o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if !o.Hold {
		s.served.serve(s.listeners)
	}
	return s, nil
}

func (s *site) close() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	for _, closer := range slices.Backward(s.closers) {
		errs = append(errs, closer())
	}
	s.served.wait()
	return errors.Join(errs...)
}

func (s *site) openTcplab(o *Order) error {
	dev, err := tun.Create(tun.Config{Name: device, Host: []netip.Prefix{hostSide}, MTU: mtu, Offload: true})
	if err != nil {
		return err
	}
	st, err := stack.New(dev, stack.Config{Addrs: []netip.Prefix{serverSide}})
	if err != nil {
		return errors.Join(err, dev.Close())
	}
	s.closers = append(s.closers, st.Close)
	profile, err := profiles.Lookup("linux")
	if o.Hold || err != nil {
		profile = profiles.Sum // holds as many as it is told
	}
	var all []*listener.Listener
	for _, port := range ports {
		l, err := listener.Listen(func(segments listener.Segments) (listener.Port, error) {
			p, err := st.Open(port, segments)
			if err != nil {
				return nil, err // not a *stack.Port that is nil
			}
			return p, nil
		}, listener.Config{Profile: profile, Settings: backlog.Settings{
			Backlog: o.Backlog, Somaxconn: o.Backlog, MaxSynBacklog: o.Backlog, Syncookies: o.Cookies,
		}})
		if err != nil {
			return err
		}
		all = append(all, l)
		s.listeners = append(s.listeners, l)
	}
	s.count = func(u *Usage) {
		counts, _, _ := all[0].Counts()
		counters := all[0].Counters()
		u.HalfOpen, u.Queued = counts.Incomplete, counts.Completed
		u.SYNs = counters[handshake.SYNsDropped] + counters[handshake.SyncookiesSent]
	}
	return nil
}

func (s *site) openKernel(o *Order) error {
	for _, port := range ports {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("making a socket: %w", err)
		}
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: serverSide.Addr().As4(), Port: int(port)})
		if err == nil {
			err = unix.Listen(fd, o.Backlog)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("listening on port %d: %w", port, err), unix.Close(fd))
		}
		l, err := fileListener(fd)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	s.count = kernelCounts
	return nil
}

func (s *site) openBare(*Order) error {
	dev, err := tun.Create(tun.Config{Name: device, Host: []netip.Prefix{hostSide}, MTU: mtu, Offload: true})
	if err != nil {
		return err
	}
	var loop bareLoop
	loop.done = make(chan struct{})
	go loop.run(dev)
	s.closers = append(s.closers, func() error {
		err := dev.Close()
		<-loop.done
		return err
	})
	s.count = func(u *Usage) { u.SYNs = loop.packets.Load() }
	return nil
}

// usage is what the process has used so far, and holds.
func (s *site) usage() Usage {
	var u Usage
	if s.count != nil {
		s.count(&u)
	}
	debug.FreeOSMemory()
	u.Memory, u.CPU = resident(), cpuTime()
	return u
}
