package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/netns"
	"tcplab/internal/trace"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// Server is an endpoint in a network namespace of its own, whose kernel has the
// clients.
type Server struct {
	*endpoint.Endpoint
	s    *Scene
	ns   *netns.Namespace
	dev  string
	addr netip.AddrPort
	rule string

	mu      sync.Mutex // guards the following
	events  []listener.Event
	packets []trace.Packet
	lost    uint64
}

// Rings for a lab: floods are bounded, and nothing that is shown may be missing.
const (
	eventRing  = 1 << 15
	packetRing = 1 << 15
	snaplen    = 256
)

// Up brings an endpoint up, of the defaults as change alters them, and prints
// the command that would.
func (s *Scene) Up(command string, change func(*endpoint.Config)) *Server {
	return s.UpFar(command, 0, change)
}

// UpFar is Up with a latency: so long the host's packets are under way.
func (s *Scene) UpFar(command string, latency time.Duration, change func(*endpoint.Config)) *Server {
	ns := s.namespace()
	cfg := endpoint.Defaults()
	cfg.Links = cfg.Links[:1]
	if change != nil {
		change(&cfg)
	}
	cfg.Profile = faster(cfg.Profile, s.Speed())
	server := &Server{s: s, ns: ns, dev: cfg.Dev}
	s.must("bringing the endpoint up", ns.Do(func() (err error) {
		socket, err := control.Claim(s.ctx, cfg.Dev, s.out)
		if err != nil {
			return err
		}
		if latency > 0 {
			if cfg.Device, err = slow(&cfg, latency); err != nil {
				return errors.Join(err, socket.Close(control.Stopped{}))
			}
		}
		if server.Endpoint, err = endpoint.Up(cfg); err != nil {
			return errors.Join(err, socket.Close(control.Stopped{}))
		}
		socket.Serve(server.Endpoint)
		s.later(func() error { return socket.Close(control.Stopped{}) })
		return nil
	}))
	happened, packets := server.Subscribe(eventRing, 0), server.Trace(packetRing, snaplen)
	s.later(server.Close) // which ends both
	s.work.Go(func() { server.readEvents(happened) })
	s.work.Go(func() { server.readPackets(packets) })
	status := server.Status(0)
	server.addr = status.Listeners[0].Addr
	server.rule = status.Listeners[0].RuleText()
	s.servers = append(s.servers, server)
	s.Show("# tcplab up"+command, server.rule+s.faster())
	return server
}

// faster is a profile with its timers divided by speed.
func faster(p *backlog.Profile, speed int) *backlog.Profile {
	if speed == 1 {
		return p
	}
	quick := *p
	quick.Schedule.Retransmit = slices.Clone(p.Schedule.Retransmit)
	for i := range quick.Schedule.Retransmit {
		quick.Schedule.Retransmit[i] /= time.Duration(speed)
	}
	quick.Schedule.Expire /= time.Duration(speed)
	quick.Repeat.Interval /= time.Duration(speed)
	return &quick
}

func (v *Server) readEvents(happened *events.Subscription) {
	for {
		e, err := happened.Next(context.Background()) // it ends with the endpoint
		if err != nil {
			return
		}
		v.mu.Lock()
		v.events = append(v.events, e.Event)
		v.lost += e.Lost
		v.mu.Unlock()
	}
}

func (v *Server) readPackets(packets *trace.Subscription) {
	for {
		p, err := packets.Next(context.Background())
		if err != nil {
			return
		}
		v.mu.Lock()
		v.packets = append(v.packets, p)
		v.lost += p.Lost
		v.mu.Unlock()
	}
}

// Events are the events so far for which keep says so; nil keeps all.
func (v *Server) Events(keep func(*listener.Event) bool) []listener.Event {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []listener.Event
	for i := range v.events {
		if keep == nil || keep(&v.events[i]) {
			list = append(list, v.events[i])
		}
	}
	return list
}

// Count is how often kind has happened.
func (v *Server) Count(kind handshake.Kind) int {
	return len(v.Events(func(e *listener.Event) bool { return e.Kind == kind }))
}

// WaitFor waits until kind has happened n times.
func (v *Server) WaitFor(kind handshake.Kind, n int) {
	v.WaitWithin(patience, kind, n)
}

// WaitWithin is WaitFor with a limit for what takes its time.
func (v *Server) WaitWithin(limit time.Duration, kind handshake.Kind, n int) {
	v.s.waitFor(fmt.Sprintf("%d times %v", n, kind), limit, func() bool { return v.Count(kind) >= n })
}

// Queues are the lengths of both queues.
func (v *Server) Queues() (incomplete, completed int) {
	status := v.Status(0)
	return status.Listeners[0].Incomplete.Length, status.Listeners[0].Completed.Length
}

// Accept takes n connections as "tcplab accept n" does.
func (v *Server) Accept(n int) endpoint.Taken {
	v.s.Show(fmt.Sprintf("# tcplab accept %d", n))
	taken, err := v.Endpoint.Accept(v.s.ctx, n)
	v.s.must("accepting", err)
	return taken
}

// Set changes a setting as "tcplab set name=value" does.
func (v *Server) Set(name, value string) {
	v.s.Show(fmt.Sprintf("# tcplab set %s=%s", name, value))
	v.s.must("changing "+name, v.Endpoint.Set(map[string]string{name: value}))
}

// Output runs a program in the namespace of the clients and returns what it
// prints. A program that fails is an error only if it could not run.
func (v *Server) Output(name string, args ...string) string {
	cmd := v.s.command(name, args...)
	out, err := v.ns.Output(cmd)
	if cmd.ProcessState == nil {
		v.s.must("running "+name, err)
	}
	v.s.must("running "+name, v.s.ctx.Err())
	return string(out)
}

// Start runs a program in the namespace of the clients until the scene ends.
func (v *Server) Start(name string, args ...string) {
	started := make(chan error, 1)
	v.s.work.Go(func() {
		_ = v.ns.Do(func() error { // on a thread that lives as long as the program
			cmd := v.s.command(name, args...)
			err := cmd.Start()
			started <- err
			if err == nil {
				_ = cmd.Wait() // it was killed
			}
			return nil
		})
	})
	v.s.must("starting "+name, <-started)
}

// keepRecord hands what was seen over to the scene's record.
func (v *Server) keepRecord() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.record.Servers = append(v.s.record.Servers, &ServerRecord{
		Title: v.addr.String(), Rule: v.rule, Events: v.events, Packets: v.packets, Lost: v.lost,
	})
}
