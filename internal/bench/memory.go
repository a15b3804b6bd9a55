package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tcplab/internal/netns"
)

// memory measures what a connection in each of the two queues takes.
func (r *runner) memory() error {
	halfOpen := r.row("half-open", "bytes each", true)
	halfOpen.Note = fmt.Sprintf("growth of the process over %d entries; of gVisor's over %d, as its backlog is 4096; the kernel's is the size of its object", r.entries(Tcplab), r.entries(GVisor))
	for _, s := range []Stack{Tcplab, GVisor} {
		each, _, err := r.halfOpen(s, r.entries(s))
		if err != nil {
			return err
		}
		halfOpen.add(s, each)
	}
	million := r.row(fmt.Sprintf("%d half-open", r.HalfOpen), "bytes each", true)
	whole := r.row(fmt.Sprintf("%d half-open, whole process", r.HalfOpen), "MB", true)
	each, all, err := r.halfOpen(Tcplab, r.HalfOpen)
	if err != nil {
		return err
	}
	million.add(Tcplab, each)
	whole.add(Tcplab, all/1e6)

	queued := r.row("queued, not accepted", "bytes each", true)
	queued.Note = "as half-open"
	for _, s := range []Stack{Tcplab, GVisor} {
		each, err := r.queued(s, r.entries(s))
		if err != nil {
			return err
		}
		queued.add(s, each)
	}
	if size, err := slabObject("request_sock_TCP"); err == nil {
		halfOpen.add(Kernel, size)
	}
	if size, err := slabObject("TCP"); err == nil {
		queued.add(Kernel, size)
	}
	return nil
}

// halfOpen lets a site hold n half-open connections.
func (r *runner) halfOpen(s Stack, n int) (each, all float64, err error) {
	r.Progress(fmt.Sprintf("memory: %d half-open, %s", n, s))
	p, err := r.open(Order{Serve: s, Backlog: 2 * n, Hold: true})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	before, err := p.worker.usage()
	if err != nil {
		return 0, 0, err
	}
	after, err := r.fill(p, n)
	if err != nil {
		return 0, 0, err
	}
	return (float64(after.Memory) - float64(before.Memory)) / float64(n), float64(after.Memory), nil
}

// fill sends the SYNs of n clients until all are in the incomplete queue, and
// returns what the site uses then. What is lost on the way is sent again, as by
// clients that are there: more slowly where most of it was lost, as on a machine
// that is busy otherwise, and for as long as that brings any more of them in.
func (r *runner) fill(p *place, n int) (u Usage, err error) {
	const slowest, tries = 2000, 5
	rate, held, vain := 50_000, 0, 0
	began := time.Now()
	for vain < tries && time.Since(began) < 70*time.Second { // after 75 s the first entries give up
		if _, err := p.client.Flood(r.ctx, netns.Flood{To: floodTo, Rate: rate, Count: n}); err != nil {
			return u, err
		}
		if err := sleep(r.ctx, 100*time.Millisecond); err != nil { // for what is in the interface's queue
			return u, err
		}
		if u, err = p.worker.usage(); err != nil {
			return u, err
		}
		switch gained, lacked := u.HalfOpen-held, n-held; {
		case u.HalfOpen >= n, p.stack == GVisor: // which does not tell
			return u, nil
		case gained <= 0:
			vain++
		default:
			vain = 0
			if gained < lacked/2 {
				rate = max(rate/2, slowest)
			}
		}
		held = u.HalfOpen
	}
	return u, fmt.Errorf("%s holds %d half-open connections of %d; no more came in by the last %d floods of their SYNs, in %v", p.stack, u.HalfOpen, n, vain, time.Since(began).Round(time.Second))
}

// queued lets a site hold n connections that wait for accept.
func (r *runner) queued(s Stack, n int) (each float64, err error) {
	r.Progress(fmt.Sprintf("memory: %d queued, %s", n, s))
	p, err := r.open(Order{Serve: s, Backlog: 2 * n, Hold: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	before, err := p.worker.usage()
	if err != nil {
		return 0, err
	}
	clients, err := r.start(p.client, Order{Load: loadHold, Count: n})
	if err != nil {
		return 0, err
	}
	var held Result
	if err := clients.read(&held); err != nil {
		return 0, err
	}
	after, err := p.worker.usage()
	if err := errors.Join(err, clients.close()); err != nil {
		return 0, err
	}
	return (float64(after.Memory) - float64(before.Memory)) / float64(n), nil
}

// sleep waits, or returns ctx's error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
