package app

import (
	"context"
	"math"
	"sync"
	"time"
)

// Gate says when accept may be called: always, never, or at a rate, and at any
// time as often as was granted. The zero Gate is open (Auto). It is safe for
// concurrent use.
type Gate struct {
	mu       sync.Mutex
	accept   Accept
	grants   int            // accepts allowed by Grant that took no connection yet
	reserved int            // so many of grants are with passes
	pacer    pacer          // of a rate
	paced    bool           // a pass holds the rate's turn; the next is due after it
	passes   map[*pass]bool // inside, since the last Set
	changed  chan struct{}  // closed on a change that may let somebody in; nil: nobody waits
}

// pass is one call of accept that the gate let through.
type pass struct {
	by     permission
	cancel context.CancelFunc
}

// permission is on what grounds a pass was let through.
type permission int

const (
	refused permission = iota
	open               // by Auto
	granted            // by Grant
	paced              // by a rate
)

// NewGate returns a gate that is set to a.
func NewGate(a Accept) *Gate {
	g := new(Gate)
	g.Set(a)
	return g
}

// Set changes how fast accept is called, from now on: calls of accept that wait
// for a connection are called off before Set returns, and grants that were not
// used are forgotten.
func (g *Gate) Set(a Accept) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accept, g.grants, g.reserved, g.paced = a, 0, 0, false
	g.pacer = pacer{}
	if a.per > 0 {
		g.pacer.interval = a.interval()
	}
	for p := range g.passes {
		p.cancel()
	}
	clear(g.passes)
	g.changeLocked()
}

// Grant allows n calls of accept now, whatever the rate, and returns at once.
// Those that find no connection stay allowed until one comes, or until Set. An
// open gate needs no grants and keeps none.
func (g *Gate) Grant(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n <= 0 || g.accept == Auto {
		return
	}
	g.grants += min(n, math.MaxInt-g.grants)
	g.changeLocked()
}

// Accept is how fast accept is called.
func (g *Gate) Accept() Accept {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accept
}

// Outstanding is how many granted accepts have taken no connection yet.
func (g *Gate) Outstanding() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.grants
}

// Enter waits until accept may be called. The accept is to be called with the
// context that Enter returns, which ends with ctx or when the gate is set anew;
// then leave must be called, with whether a connection was taken: what was
// allowed and not used is allowed again. The error is that of ctx.
func (g *Gate) Enter(ctx context.Context) (inside context.Context, leave func(taken bool), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		g.mu.Lock()
		by, wait := g.permitLocked(time.Now())
		if by != refused {
			inside, leave = g.letInLocked(ctx, by)
			g.mu.Unlock()
			return inside, leave, nil
		}
		changed := g.waitLocked()
		g.mu.Unlock()

		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-due:
		}
	}
}

// permitLocked uses up a permission to call accept, if there is one. If it only
// takes time until there is, wait is how long.
func (g *Gate) permitLocked(now time.Time) (by permission, wait time.Duration) {
	switch {
	case g.accept == Auto:
		return open, 0
	case g.grants > g.reserved:
		g.reserved++
		return granted, 0
	case g.accept == Off || g.paced:
		return refused, 0
	}
	if wait := g.pacer.wait(now); wait > 0 {
		return refused, wait
	}
	g.paced = true
	return paced, 0
}

// letInLocked makes the pass of a permission.
func (g *Gate) letInLocked(ctx context.Context, by permission) (context.Context, func(bool)) {
	ctx, cancel := context.WithCancel(ctx)
	p := &pass{by, cancel}
	if g.passes == nil {
		g.passes = make(map[*pass]bool)
	}
	g.passes[p] = true
	return ctx, func(taken bool) { g.leave(p, taken) }
}

// leave ends a pass.
func (g *Gate) leave(p *pass, taken bool) {
	p.cancel()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.passes[p] {
		return // the gate was set since, and what allowed the pass is gone
	}
	delete(g.passes, p)
	switch p.by {
	case granted:
		g.reserved--
		if taken {
			g.grants--
		}
	case paced:
		g.paced = false
		if taken {
			g.pacer.took(time.Now())
		}
	}
	g.changeLocked()
}

// waitLocked returns what the next change closes.
func (g *Gate) waitLocked() <-chan struct{} {
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.changed
}

// changeLocked has those who wait at the gate look again.
func (g *Gate) changeLocked() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
