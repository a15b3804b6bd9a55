package backlog_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

// TestQueuesAgainstSlices runs generated sequences of everything that can
// happen to a pair of queues and holds them against two plain slices.
func TestQueuesAgainstSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"":           m.check,
			"SYN":        m.syn,
			"final ACK":  m.finalACK,
			"accept":     m.accept,
			"unpark":     m.unparkOldest,
			"retransmit": m.retransmit,
			"renew":      m.renew,
			"remove":     m.remove,
			"configure":  m.configure,
			"later":      func(t *rapid.T) { m.now += time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond },
		})
	})
}

// model is a pair of queues and what ought to be in them.
type model struct {
	queues *backlog.Queues[int]
	rule   rule
	limits backlog.Limits
	now    time.Duration
	last   int // the number of the newest entry

	incomplete, completed []*naiveEntry
	entries               map[int]*backlog.Entry[int] // by number, all that ever were
}

// naiveEntry is an entry of the model's.
type naiveEntry struct {
	number      int
	since       time.Duration
	retransmits int
	parked      bool
}

// rule is a profile and, in the words of its source, what it does.
type rule struct {
	profile *backlog.Profile
	admits  func(incomplete, completed, b int) bool
	full    func(completed, b int) bool // a final ACK parks its entry
}

func never(int, int) bool { return false }

var rules = []rule{
	{profiles.Sum, func(incomplete, completed, b int) bool { return incomplete+completed < b }, never},
	{profiles.BSD, func(incomplete, completed, b int) bool { return completed+incomplete <= 3*b/2 }, never},
	{parking, func(incomplete, _, b int) bool { return incomplete < b+3 }, func(completed, b int) bool { return completed >= b }},
}

// parking is a profile with a bound for each queue, which parks what the
// completed one has no room for, as illumos does.
var parking = &backlog.Profile{
	Name:  "parking",
	Clamp: profiles.Sum.Clamp,
	AtSYN: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := backlog.Decision{Verdict: backlog.Admit, Have: c.Incomplete, Bound: l.Effective + 3}
		if d.Have >= d.Bound {
			d.Verdict, d.Reason = backlog.Drop, backlog.IncompleteFull
		}
		return d
	},
	AtFinalACK: func(c backlog.Counts, l backlog.Limits) backlog.Decision {
		d := backlog.Decision{Verdict: backlog.Promote, Have: c.Completed, Bound: l.Effective}
		if d.Have >= d.Bound {
			d.Verdict, d.Reason = backlog.Park, backlog.CompletedFull
		}
		return d
	},
}

func newModel(t *rapid.T) *model {
	m := &model{entries: make(map[int]*backlog.Entry[int])}
	var settings backlog.Settings
	m.rule, settings = m.draw(t)
	m.queues = backlog.NewQueues[int](m.rule.profile, settings)
	return m
}

// draw draws a profile and settings and notes the limits that they make.
func (m *model) draw(t *rapid.T) (rule, backlog.Settings) {
	s := backlog.Settings{Backlog: rapid.IntRange(-2, 9).Draw(t, "backlog"), Somaxconn: rapid.IntRange(1, 7).Draw(t, "somaxconn")}
	m.limits = backlog.Limits{Settings: s, Effective: s.Backlog}
	switch {
	case s.Backlog == -1 || s.Backlog > s.Somaxconn:
		m.limits.Effective = s.Somaxconn
	case s.Backlog < 0:
		m.limits.Effective = 0
	}
	return rapid.SampledFrom(rules).Draw(t, "rule"), s
}

func (m *model) configure(t *rapid.T) {
	var settings backlog.Settings
	m.rule, settings = m.draw(t)
	m.queues.Configure(m.rule.profile, settings)
}

func (m *model) syn(t *rapid.T) {
	before := m.queues.Counts()
	d := m.queues.SYN()
	if m.queues.Counts() != before {
		t.Fatalf("asking about a SYN changed the queues from %+v to %+v", before, m.queues.Counts())
	}
	admits := m.rule.admits(len(m.incomplete), len(m.completed), m.limits.Effective)
	if admits != (d.Verdict == backlog.Admit) || admits == (d.Verdict == backlog.Drop) {
		t.Fatalf("%s with backlog %d and %+v decides %+v, want admission: %v",
			m.rule.profile.Name, m.limits.Effective, before, d, admits)
	}
	if fits := d.Have < d.Bound; fits != admits {
		t.Fatalf("decision %+v says %d of %d", d, d.Have, d.Bound)
	}
	if !admits {
		return
	}
	m.last++
	m.entries[m.last] = m.queues.Admit(m.now, m.last)
	m.incomplete = append(m.incomplete, &naiveEntry{number: m.last, since: m.now})
}

// pick draws an entry of the incomplete queue for which keep holds.
func (m *model) pick(t *rapid.T, keep func(*naiveEntry) bool) *naiveEntry {
	var candidates []*naiveEntry
	for _, e := range m.incomplete {
		if keep(e) {
			candidates = append(candidates, e)
		}
	}
	if len(candidates) == 0 {
		t.Skip("no such entry")
	}
	return rapid.SampledFrom(candidates).Draw(t, "entry")
}

func halfOpen(e *naiveEntry) bool { return !e.parked }

func (m *model) finalACK(t *rapid.T) {
	e := m.pick(t, halfOpen)
	d := m.queues.FinalACK()
	full := m.rule.full(len(m.completed), m.limits.Effective)
	if want := map[bool]backlog.Verdict{false: backlog.Promote, true: backlog.Park}[full]; d.Verdict != want {
		t.Fatalf("%s with backlog %d and %+v decides %v on a final ACK, want %v",
			m.rule.profile.Name, m.limits.Effective, m.queues.Counts(), d.Verdict, want)
	}
	if full {
		m.queues.Park(m.entries[e.number])
		e.parked = true
		return
	}
	m.queues.Promote(m.now, m.entries[e.number])
	m.complete(e)
}

// complete moves an entry from one slice to the end of the other.
func (m *model) complete(e *naiveEntry) {
	m.incomplete = slices.DeleteFunc(m.incomplete, func(other *naiveEntry) bool { return other == e })
	e.since, e.parked = m.now, false
	m.completed = append(m.completed, e)
}

func (m *model) unparkOldest(t *rapid.T) {
	got, since := m.queues.Unpark(m.now)
	first := slices.IndexFunc(m.incomplete, func(e *naiveEntry) bool { return e.parked })
	if first < 0 || m.rule.full(len(m.completed), m.limits.Effective) {
		if got != nil {
			t.Fatalf("entry %d was unparked, want none", got.Value)
		}
		return
	}
	e := m.incomplete[first]
	if got != m.entries[e.number] || since != e.since {
		t.Fatalf("unparked %+v since %v, want entry %d since %v", got, since, e.number, e.since)
	}
	m.complete(e)
}

func (m *model) retransmit(t *rapid.T) {
	e := m.pick(t, func(*naiveEntry) bool { return true })
	m.queues.Retransmitted(m.entries[e.number])
	e.retransmits++
}

func (m *model) renew(t *rapid.T) {
	e := m.pick(t, func(*naiveEntry) bool { return true })
	m.queues.Renew(m.entries[e.number])
	if !e.parked {
		e.retransmits = 0
	}
}

func (m *model) accept(t *rapid.T) {
	first := m.queues.FirstCompleted()
	if len(m.completed) == 0 {
		if first != nil {
			t.Fatalf("entry %d is completed, want none", first.Value)
		}
		t.Skip("nothing completed")
	}
	if first != m.entries[m.completed[0].number] {
		t.Fatalf("accept would take %+v, want entry %d", first, m.completed[0].number)
	}
	m.queues.Remove(first)
	m.completed = m.completed[1:]
}

// remove takes any entry out, as a RST or a timer does. Removing one that is
// gone does nothing.
func (m *model) remove(t *rapid.T) {
	if m.last == 0 {
		t.Skip("no entry")
	}
	number := rapid.IntRange(1, m.last).Draw(t, "entry")
	m.queues.Remove(m.entries[number])
	same := func(e *naiveEntry) bool { return e.number == number }
	m.incomplete = slices.DeleteFunc(m.incomplete, same)
	m.completed = slices.DeleteFunc(m.completed, same)
}
