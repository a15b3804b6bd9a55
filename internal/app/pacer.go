package app

import "time"

// pacer spaces the accepts of a rate evenly. It never allows two at once to
// catch up: an application that was kept waiting does not work faster later.
// It has no clock and is not safe for concurrent use.
type pacer struct {
	interval time.Duration
	due      time.Time // the next accept; the zero value: at once
}

// wait is how long after now the next accept is due.
func (p *pacer) wait(now time.Time) time.Duration { return max(p.due.Sub(now), 0) }

// took reckons with an accept that took a connection.
func (p *pacer) took(now time.Time) {
	if now.Sub(p.due) > p.slack() {
		p.due = now // no connection was there when it was due
	}
	p.due = p.due.Add(p.interval)
}

// slack is how late an accept may be and still count as on time, so that the
// lateness of timers does not add up and slow the rate down.
func (p *pacer) slack() time.Duration { return max(p.interval/10, time.Millisecond) }
