package tcpmem

import "sync/atomic"

// Pool is the memory of all connections.
type Pool struct {
	limits    Limits
	total     atomic.Int64
	pressure  atomic.Bool
	pressures atomic.Uint64
}

// NewPool makes a pool of which nothing is reserved.
func NewPool(l Limits) *Pool { return &Pool{limits: l} }

// Limits are the pool's bounds.
func (p *Pool) Limits() Limits { return p.limits }

// Total is how many bytes are reserved, without the Min of each connection.
func (p *Pool) Total() int64 { return p.total.Load() }

// Pressures is how often memory pressure has begun (TCPMemoryPressures of nstat).
func (p *Pool) Pressures() uint64 { return p.pressures.Load() }

// Allowed is how many bytes a connection may hold now.
func (p *Pool) Allowed(w Want) int { return p.limits.Allowed(p.total.Load(), w) }

// Reserve reserves up to w.More bytes and returns how many: none if the
// connection holds what it may already. A connection that holds nothing always
// gets some.
func (p *Pool) Reserve(w Want) int {
	for {
		total := p.total.Load()
		n := min(w.More, p.limits.Allowed(total, w)-w.Held)
		if n <= 0 {
			return 0
		}
		more := p.limits.beyondMin(w.Held+n) - p.limits.beyondMin(w.Held)
		if p.total.CompareAndSwap(total, total+more) {
			p.note(total + more)
			return n
		}
	}
}

// Release gives back n bytes of a connection that has reserved held.
func (p *Pool) Release(held, n int) {
	less := p.limits.beyondMin(held) - p.limits.beyondMin(held-n)
	if less != 0 {
		p.note(p.total.Add(-less))
	}
}

// note notes where memory pressure begins and ends (tcp_enter_memory_pressure,
// tcp_leave_memory_pressure).
func (p *Pool) note(total int64) {
	switch {
	case total > p.limits.Pressure:
		if p.pressure.CompareAndSwap(false, true) {
			p.pressures.Add(1)
		}
	case total < p.limits.Low && p.pressure.Load():
		p.pressure.Store(false)
	}
}
