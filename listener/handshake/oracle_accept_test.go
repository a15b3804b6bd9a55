package handshake_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/handshake"
)

func (p *pair) accept(t *rapid.T) {
	if !p.audit.accept() {
		if len(p.naive.completed) > 0 {
			t.Fatalf("nothing to accept, want %v", p.naive.completed[0].tuple)
		}
		t.Skip("nothing to accept")
	}
	first := p.naive.completed[0]
	p.naive.drop(first)
	p.naive.say(handshake.Accepted, first)
	p.compare(t)
}

// drawHanded draws a connection that was handed over, queued or not any more.
func (p *pair) drawHanded(t *rapid.T) (*handshake.Entry, *naiveEntry) {
	if len(p.gone) == 0 {
		t.Skip("nothing was handed over")
	}
	e := rapid.SampledFrom(p.gone).Draw(t, "connection")
	if p.handed[e.Value.Tuple] == e {
		for _, queued := range p.naive.completed {
			if queued.tuple == e.Value.Tuple {
				return e, queued
			}
		}
	}
	return e, nil
}

// ended: a queued connection that its client reset leaves the queue (UNP
// section 5.11).
func (p *pair) ended(t *rapid.T) {
	e, queued := p.drawHanded(t)
	if queued == nil && p.handed[e.Value.Tuple] != nil {
		t.Skip("a newer connection has its tuple")
	}
	p.audit.ended(e)
	if queued != nil {
		p.naive.drop(queued)
		p.naive.say(handshake.Reset, queued)
	}
	p.compare(t)
}

func (p *pair) failed(t *rapid.T) {
	e, queued := p.drawHanded(t)
	if queued == nil && p.handed[e.Value.Tuple] != nil {
		t.Skip("a newer connection has its tuple")
	}
	p.audit.failed(e)
	if queued != nil {
		p.naive.abort(queued)
		p.naive.drop(queued)
		p.naive.say(handshake.AdoptionFailed, queued)
	}
	p.compare(t)
}

func (p *pair) configure(t *rapid.T) {
	profile, s := p.draw(t)
	p.audit.configure(profile, s)
	p.compare(t)
}

// drain lets time pass, or closes, until nothing is left.
func (p *pair) drain(t *rapid.T) {
	if rapid.Bool().Draw(t, "close") {
		p.close()
		for _, e := range p.naive.incomplete {
			p.naive.abort(e)
		}
		for _, e := range slices.Concat(p.naive.incomplete, p.naive.completed) {
			p.naive.say(handshake.Closed, e)
		}
		var aborted []*naiveEntry
		for _, e := range p.out.Abort {
			i := slices.IndexFunc(p.naive.completed, func(c *naiveEntry) bool { return c.tuple == e.Value.Tuple })
			if i < 0 {
				t.Fatalf("%v is to be reset and was not completed", e.Value.Tuple)
			}
			aborted = append(aborted, p.naive.completed[i])
		}
		if !slices.Equal(aborted, p.naive.completed) {
			t.Fatalf("%d connections are to be reset, want %d", len(aborted), len(p.naive.completed))
		}
		p.compare(t)
		return
	}
	for range p.naive.times {
		p.now += p.naive.times[len(p.naive.times)-1]
		p.fire(t)
	}
	if at, running := p.m.NextDeadline(); running || len(p.naive.incomplete) > 0 {
		t.Fatalf("after %d timeouts a timer still runs until %v", len(p.naive.times), at)
	}
	for len(p.naive.completed) > 0 {
		p.accept(t)
	}
	if counts, _, _ := p.m.Queues(); counts.Total() > 0 {
		t.Fatalf("after %v there are still %+v", time.Duration(len(p.naive.times)), counts)
	}
}
