package backlog

import (
	"math"
	"sort"
)

// Unbounded stands for a capacity that a profile does not limit.
const Unbounded = -1

// Capacity is how many entries the queues hold: the length at which the rules
// begin to refuse. What is queued can exceed it, after a smaller backlog was set
// or while handshakes are under way that began before.
type Capacity struct {
	Together   int `json:"together"`   // both queues, where the profile bounds their sum
	Incomplete int `json:"incomplete"` // stored without a cookie, the completed queue empty
	Completed  int `json:"completed"`
}

// Capacity asks the profile's rules how many entries the queues hold under
// limits.
func (p *Profile) Capacity(l Limits) Capacity {
	none := Capacity{Unbounded, Unbounded, Unbounded}
	if p.AtSYN(Counts{Completed: math.MaxInt32}, l).Reason == TotalFull {
		none.Together = most(func(n int) bool { return p.AtSYN(Counts{Completed: n}, l).Reason != TotalFull })
		return none
	}
	c := none
	c.Incomplete = most(func(n int) bool {
		switch p.AtSYN(Counts{Incomplete: n, Young: n}, l).Reason {
		case IncompleteFull, KeptForProven, AlwaysCookies:
			return false
		}
		return true
	})
	const young = 2 // old kernels let one more in while at most one entry is young
	c.Completed = most(func(n int) bool {
		counts := Counts{Incomplete: young, Young: young, Completed: n}
		return p.AtSYN(counts, l).Reason != CompletedFull && p.AtFinalACK(counts, l).Reason != CompletedFull
	})
	return c
}

// most is the length at which a queue is full: the least one at which no more
// fit.
func most(fits func(n int) bool) int {
	n := sort.Search(math.MaxInt32, func(n int) bool { return !fits(n) })
	if n == math.MaxInt32 {
		return Unbounded
	}
	return n
}
