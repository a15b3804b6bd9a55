package app

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Unix(1_000_000_000, 0)

func TestPacerFirstAtOnce(t *testing.T) {
	p := pacer{interval: time.Second}
	if wait := p.wait(epoch); wait != 0 {
		t.Fatalf("the first accept waits %v", wait)
	}
	p.took(epoch)
	if wait := p.wait(epoch); wait != time.Second {
		t.Fatalf("the second accept waits %v", wait)
	}
}

// A timer that fires late does not slow the rate down.
func TestPacerKeepsItsSchedule(t *testing.T) {
	p := pacer{interval: 200 * time.Millisecond}
	now := epoch
	for range 100 {
		now = now.Add(p.wait(now) + time.Millisecond)
		p.took(now)
	}
	if took := now.Sub(epoch); took > 99*200*time.Millisecond+3*time.Millisecond {
		t.Fatalf("100 accepts at 5/s took %v", took)
	}
}

// An application that found no connection does not catch up.
func TestPacerDoesNotCatchUp(t *testing.T) {
	p := pacer{interval: time.Second}
	p.took(epoch)
	late := epoch.Add(time.Hour)
	p.took(late)
	if wait := p.wait(late); wait != time.Second {
		t.Fatalf("after an hour without a connection, the accept after the next waits %v", wait)
	}
}

// Whenever accepts are called, two are never closer than the interval less the
// slack, and n of them never faster than n-1 intervals less one slack.
func TestPacerBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pacer{interval: time.Duration(rapid.Int64Range(int64(10*time.Millisecond), int64(time.Minute)).Draw(t, "interval"))}
		now, last := epoch, epoch.Add(-time.Hour)
		first := time.Time{}
		for i := range rapid.IntRange(1, 50).Draw(t, "n") {
			late := rapid.Int64Range(0, int64(3*p.interval)).Draw(t, "late")
			if rapid.Bool().Draw(t, "on time") {
				late = rapid.Int64Range(0, int64(p.slack())).Draw(t, "little late")
			}
			now = now.Add(p.wait(now) + time.Duration(late))
			if now.Sub(last) < p.interval-p.slack() {
				t.Fatalf("accept %d comes %v after the last, interval %v", i, now.Sub(last), p.interval)
			}
			if i == 0 {
				first = now
			}
			if least := time.Duration(i)*p.interval - p.slack(); now.Sub(first) < least {
				t.Fatalf("%d accepts in %v, interval %v", i+1, now.Sub(first), p.interval)
			}
			p.took(now)
			last = now
		}
	})
}
