package table

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog"
)

// mostClients bounds a measurement: more than any profile lets in at the
// backlogs that are asked for.
const mostClients = 4096

// measureProfile lets clients of the kernel's connect to an endpoint with this
// profile, in a network namespace of its own.
func measureProfile(ctx context.Context, profile *backlog.Profile, b int) (n int, err error) {
	ns, err := netns.New("")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	cfg := endpoint.Defaults()
	cfg.Profile, cfg.Backlog.Backlog, cfg.Accept = profile, b, app.Off
	var e *endpoint.Endpoint
	if err := ns.Do(func() (err error) { e, err = endpoint.Up(cfg); return err }); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return countClients(ctx, ns, netip.AddrPortFrom(cfg.Links[0].Addr, cfg.Ports[0]))
}

// measureHost does the same with a listen(2) of the host's own kernel.
func measureHost(ctx context.Context, b int) (n int, err error) {
	ns, err := netns.New("")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	addr := netip.MustParseAddrPort("127.0.0.1:80")
	l, err := ns.Listen(addr, b)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return countClients(ctx, ns, addr)
}

// countClients connects one client after another, as Stevens' program did, until
// one does not get through, and counts those that are connected then.
func countClients(ctx context.Context, ns *netns.Namespace, addr netip.AddrPort) (int, error) {
	var clients []*netns.Client
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for len(clients) < mostClients {
		c, err := ns.Connect(addr)
		if err != nil {
			return 0, err
		}
		clients = append(clients, c)
		if err := answered(ctx, c); err != nil {
			return 0, err
		}
		through, err := stays(ctx, ns, c, addr.Addr())
		if err != nil {
			return 0, err
		}
		if !through {
			return countEstablished(clients)
		}
	}
	return 0, fmt.Errorf("more than %d clients get through", mostClients)
}

// answered waits until c is connected or refused, or has had to send its SYN
// again: then the first one was dropped, or its answer is late on a busy machine.
func answered(ctx context.Context, c *netns.Client) error {
	connected := make(chan error, 1)
	waiting, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for range connected { // until it is closed
		}
	}()
	go func() {
		defer close(connected)
		connected <- c.Wait(waiting)
	}()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-connected:
			if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) {
				return nil
			}
			return err
		case <-look.C:
			info, err := c.Info()
			if err != nil {
				return err
			}
			if netns.State(info.State) == netns.SYNSent && info.Total_retrans > 0 {
				return nil
			}
		}
	}
}

// stays reports whether c is connected when the server has dealt with its SYNs
// and its final ACK: it has when it answers what was sent later, a SYN to a closed
// port.
func stays(ctx context.Context, ns *netns.Namespace, c *netns.Client, server netip.Addr) (bool, error) {
	const closedPort = 9
	probe, err := ns.Connect(netip.AddrPortFrom(server, closedPort))
	switch {
	case errors.Is(err, unix.ECONNREFUSED): // over lo, at once
	case err != nil:
		return false, err
	default:
		err = probe.Wait(ctx)
		probe.Close()
		if !errors.Is(err, unix.ECONNREFUSED) {
			return false, fmt.Errorf("a closed port answers %w, not connection refused", err)
		}
	}
	state, err := c.State()
	return state == netns.Established, err
}

func countEstablished(clients []*netns.Client) (int, error) {
	n := 0
	for _, c := range clients {
		state, err := c.State()
		if err != nil {
			return 0, err
		}
		if state == netns.Established {
			n++
		}
	}
	return n, nil
}
