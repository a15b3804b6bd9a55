package app_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/app"
)

func rate(t *testing.T, text string) app.Accept {
	t.Helper()
	a, err := app.ParseAccept(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// caller is a goroutine that enters a gate.
type caller struct {
	cancel   context.CancelFunc
	returned chan struct{} // closed when Enter has returned
	inside   context.Context
	leave    func(taken bool)
	err      error
}

// enter has a goroutine enter the gate and returns when that is through, or
// waits. It must be called in a bubble.
func enter(t *testing.T, g *app.Gate) *caller {
	ctx, cancel := context.WithCancel(t.Context())
	c := &caller{cancel: cancel, returned: make(chan struct{})}
	go func() {
		defer close(c.returned)
		c.inside, c.leave, c.err = g.Enter(ctx)
	}()
	synctest.Wait()
	return c
}

// isInside reports whether the gate let the caller through by now.
func (c *caller) isInside() bool {
	synctest.Wait()
	select {
	case <-c.returned:
		return c.err == nil
	default:
		return false
	}
}

func (c *caller) wantInside(t *testing.T, want bool) {
	t.Helper()
	if got := c.isInside(); got != want {
		t.Fatalf("inside the gate: %v, want %v", got, want)
	}
}

func TestGateZeroIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g app.Gate
		for range 3 {
			enter(t, &g).wantInside(t, true)
		}
		if g.Accept() != app.Auto {
			t.Fatalf("accept is %v", g.Accept())
		}
	})
}

func TestGateGrants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(app.Off)
		first, second, third := enter(t, g), enter(t, g), enter(t, g)
		first.wantInside(t, false)

		g.Grant(2)
		synctest.Wait()
		var in []*caller
		for _, c := range []*caller{first, second, third} {
			if c.isInside() {
				in = append(in, c)
			}
		}
		if len(in) != 2 || g.Outstanding() != 2 {
			t.Fatalf("2 grants let %d in, %d outstanding", len(in), g.Outstanding())
		}

		in[0].leave(true)
		synctest.Wait()
		if g.Outstanding() != 1 {
			t.Fatalf("%d outstanding after one was used", g.Outstanding())
		}
		in[1].leave(false) // what was not used lets the next one in
		for _, c := range []*caller{first, second, third} {
			c.wantInside(t, true)
		}
		if g.Outstanding() != 1 {
			t.Fatalf("%d outstanding with one inside", g.Outstanding())
		}
	})
}

// A grant that comes before the accept waits for it.
func TestGateGrantBeforeEnter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(app.Off)
		g.Grant(1)
		c := enter(t, g)
		c.wantInside(t, true)
		c.leave(true)
		c = enter(t, g)
		c.wantInside(t, false)
		c.cancel()
		synctest.Wait()
		if !errors.Is(c.err, context.Canceled) {
			t.Fatalf("error %v after its context ended", c.err)
		}
	})
}

func TestGateGrantOddNumbers(t *testing.T) {
	g := app.NewGate(app.Off)
	g.Grant(0)
	g.Grant(-3)
	if n := g.Outstanding(); n != 0 {
		t.Fatalf("%d outstanding", n)
	}
	g.Grant(math.MaxInt)
	g.Grant(math.MaxInt)
	if n := g.Outstanding(); n != math.MaxInt {
		t.Fatalf("%d outstanding", n)
	}
	g.Set(app.Off)
	if n := g.Outstanding(); n != 0 {
		t.Fatalf("%d outstanding after Set", n)
	}
	g.Set(app.Auto)
	g.Grant(1)
	if n := g.Outstanding(); n != 0 {
		t.Fatalf("an open gate kept %d grants", n)
	}
}

// Set calls off the accepts inside before it returns, and what let them in does
// not come back.
func TestGateSetCallsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(app.Gate)
		open := enter(t, g)
		open.wantInside(t, true)
		g.Set(app.Off)
		if open.inside.Err() == nil {
			t.Fatal("the accept goes on after Set")
		}
		open.leave(false)

		g.Grant(1)
		granted := enter(t, g)
		granted.wantInside(t, true)
		g.Set(app.Off)
		if granted.inside.Err() == nil {
			t.Fatal("the granted accept goes on after Set")
		}
		granted.leave(false)
		c := enter(t, g)
		c.wantInside(t, false)
		if n := g.Outstanding(); n != 0 {
			t.Fatalf("%d outstanding", n)
		}
		c.cancel()
	})
}

func TestGateSetWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(app.Off)
		c := enter(t, g)
		g.Set(rate(t, "1/h"))
		c.wantInside(t, true)
		c.leave(true)
		c = enter(t, g)
		c.wantInside(t, false)
		g.Set(app.Auto)
		c.wantInside(t, true)
	})
}

func TestGateContextEndsFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := new(app.Gate).Enter(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

// The context inside ends with the caller's, and with leave.
func TestGateContextInside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(app.Gate)
		c := enter(t, g)
		c.wantInside(t, true)
		c.cancel()
		if c.inside.Err() == nil {
			t.Fatal("the accept outlives its loop")
		}
		c.leave(false)
		c = enter(t, g)
		c.wantInside(t, true)
		c.leave(true)
		if c.inside.Err() == nil {
			t.Fatal("the context outlives the accept")
		}
	})
}

func TestGateRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(rate(t, "5/s"))
		start := time.Now()
		for i := range 10 {
			_, leave, err := g.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if at, want := time.Since(start), time.Duration(i)*200*time.Millisecond; at != want {
				t.Fatalf("accept %d at %v, want %v", i, at, want)
			}
			leave(true)
		}
	})
}

// The time to the next accept counts from the connection, not from the call.
func TestGateRateAfterAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(rate(t, "1/s"))
		_, leave, _ := g.Enter(t.Context())
		time.Sleep(10 * time.Second)
		leave(true)
		start := time.Now()
		_, leave, _ = g.Enter(t.Context())
		leave(true)
		if waited := time.Since(start); waited != time.Second {
			t.Fatalf("waited %v", waited)
		}
	})
}

// Several listeners share the rate: one accept has its turn at a time, and one
// that takes nothing costs nothing.
func TestGateRateIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(rate(t, "1/m"))
		first := enter(t, g)
		second := enter(t, g)
		first.wantInside(t, true)
		second.wantInside(t, false)
		first.leave(false)
		second.wantInside(t, true)
		second.leave(true)
		third := enter(t, g)
		time.Sleep(time.Minute - time.Nanosecond)
		third.wantInside(t, false)
		time.Sleep(time.Nanosecond)
		third.wantInside(t, true)
	})
}

// Grants come on top of the rate and do not change it.
func TestGateGrantsBesideRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := app.NewGate(rate(t, "1/m"))
		c := enter(t, g)
		c.wantInside(t, true)
		c.leave(true)

		waiting := enter(t, g)
		waiting.wantInside(t, false)
		g.Grant(1)
		waiting.wantInside(t, true)
		waiting.leave(true)

		c = enter(t, g)
		time.Sleep(time.Minute - time.Nanosecond)
		c.wantInside(t, false)
		time.Sleep(time.Nanosecond)
		c.wantInside(t, true)
	})
}

// However callers, grants and settings meet, what is granted is let in, and
// nothing more.
func TestGateLetsInWhatWasGranted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g := app.NewGate(app.Off)
		var taken, granted atomic.Int64
		var callers, granters sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				for n := i; ; n++ {
					_, leave, err := g.Enter(ctx)
					if err != nil {
						return
					}
					take := n%3 != 0
					if take {
						taken.Add(1)
					}
					leave(take)
				}
			})
		}
		grant := func(n int) {
			granted.Add(int64(n))
			g.Grant(n)
		}
		for range 4 {
			granters.Go(func() {
				for i := range 500 {
					grant(i % 4)
				}
			})
		}
		granters.Wait()
		synctest.Wait()
		if taken.Load() != granted.Load() || g.Outstanding() != 0 {
			t.Fatalf("%d granted, %d taken, %d outstanding", granted.Load(), taken.Load(), g.Outstanding())
		}

		for range 4 { // now with settings in between, which forget grants
			granters.Go(func() {
				for i := range 500 {
					grant(i % 4)
					if i%50 == 0 {
						g.Set(app.Off)
					}
				}
			})
		}
		granters.Wait()
		synctest.Wait()
		cancel()
		callers.Wait()
		if taken.Load() > granted.Load() || g.Outstanding() != 0 {
			t.Fatalf("%d granted, %d taken, %d outstanding", granted.Load(), taken.Load(), g.Outstanding())
		}
	})
}
