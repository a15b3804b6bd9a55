package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"tcplab/internal/netns"
)

// floods measures SYN floods: at a full queue, and with SYN cookies beside
// clients that mean it.
func (r *runner) floods() error {
	rate := r.row("SYNs at a full queue", "1/s", false)
	rate.Note = "handled under a flood as fast as one sender can; gVisor answers with cookies at a full queue, the others drop; bare: what a loop reads that does nothing else"
	cost := r.row("CPU time for such a SYN", "ns", true)
	cost.Note = "of the process; the kernel's own is spent in the sender"
	served := r.row("of 50 clients, served", "clients", false)
	served.Note = "during 100,000 SYN/s, with SYN cookies"
	for round := range r.Rounds {
		for _, s := range []Stack{Tcplab, GVisor, Kernel, Bare} {
			r.Progress(fmt.Sprintf("flood, round %d of %d: %s", round+1, r.Rounds, s))
			if err := r.fullQueue(s, rate, cost); err != nil {
				return fmt.Errorf("%s under a flood: %w", s, err)
			}
		}
	}
	for _, s := range []Stack{Tcplab, GVisor, Kernel} {
		r.Progress("clients during a flood: " + string(s))
		n, err := r.duringFlood(s)
		if err != nil {
			return fmt.Errorf("%s during a flood: %w", s, err)
		}
		served.add(s, float64(n))
	}
	return nil
}

var floodTo = netip.AddrPortFrom(serverSide.Addr(), webPort)

// fullQueue floods a site whose queue is full.
func (r *runner) fullQueue(s Stack, rate, cost *Row) (err error) {
	p, err := r.open(Order{Serve: s, Backlog: 1, Hold: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	fill := 100
	if s == GVisor {
		fill = 2 * gvisorEntries
	}
	if _, err := p.client.Flood(r.ctx, netns.Flood{To: floodTo, Rate: 20_000, Count: fill}); err != nil {
		return err
	}
	before, err := p.worker.usage()
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.For)
	_, err = p.client.Flood(ctx, netns.Flood{To: floodTo})
	cancel()
	if err != nil {
		return err
	}
	elapsed := time.Since(began)
	after, err := p.worker.usage()
	if err != nil {
		return err
	}
	n := after.SYNs - before.SYNs
	rate.add(s, float64(n)/elapsed.Seconds())
	if s != Kernel && n > 0 {
		cost.add(s, float64(after.CPU-before.CPU)/float64(n))
	}
	return r.ctx.Err()
}

// duringFlood counts the clients that are served during a flood.
func (r *runner) duringFlood(s Stack) (n int, err error) {
	p, err := r.open(Order{Serve: s, Backlog: 128, Cookies: 1})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	ctx, cancel := context.WithCancel(r.ctx)
	flooded := make(chan error, 1)
	go func() {
		_, err := p.client.Flood(ctx, netns.Flood{To: floodTo, Rate: 100_000})
		flooded <- err
	}()
	err = sleep(r.ctx, r.For/2) // the queue is full then
	var result Result
	if err == nil {
		result, err = r.load(p, Order{Load: loadServed, Count: 50})
	}
	cancel()
	return result.Count, errors.Join(err, <-flooded)
}
