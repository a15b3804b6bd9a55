package backlog_test

import (
	"slices"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
)

// check holds the queues against the model: lengths, order, places, ages, and
// that no entry is at two places.
func (m *model) check(t *rapid.T) {
	if got := m.queues.Limits(); got != m.limits {
		t.Fatalf("limits %+v, want %+v", got, m.limits)
	}
	want := backlog.Counts{Incomplete: len(m.incomplete), Completed: len(m.completed)}
	for _, e := range m.incomplete {
		if !e.parked && e.retransmits == 0 {
			want.Young++
		}
	}
	if got := m.queues.Counts(); got != want || got.Total() != len(m.incomplete)+len(m.completed) {
		t.Fatalf("counts %+v, want %+v", got, want)
	}
	m.checkOrder(t)
	m.checkPlaces(t)

	oldest := 0
	if i := slices.IndexFunc(m.incomplete, halfOpen); i >= 0 {
		oldest = m.incomplete[i].number
	}
	if got := m.queues.OldestIncomplete(); number(got) != oldest {
		t.Fatalf("entry %d is the oldest half-open one, want %d", number(got), oldest)
	}
}

// checkOrder visits both queues, in full and up to each entry.
func (m *model) checkOrder(t *rapid.T) {
	want := numbers(slices.Concat(m.incomplete, m.completed))
	for stop := range len(want) + 1 {
		var got []int
		m.queues.Each(func(e *backlog.Entry[int]) bool {
			got = append(got, e.Value)
			return len(got) != stop
		})
		if stop == 0 { // never told to stop
			stop = len(want)
		}
		if !slices.Equal(got, want[:stop]) {
			t.Fatalf("visited %v, want %v", got, want[:stop])
		}
	}
}

// checkPlaces looks at every entry that ever was.
func (m *model) checkPlaces(t *rapid.T) {
	places := make(map[int]backlog.Place)
	queued := make(map[int]*naiveEntry)
	for _, e := range m.incomplete {
		places[e.number], queued[e.number] = backlog.Incomplete, e
		if e.parked {
			places[e.number] = backlog.Parked
		}
	}
	for _, e := range m.completed {
		if queued[e.number] != nil {
			t.Fatalf("entry %d is in both queues", e.number)
		}
		places[e.number], queued[e.number] = backlog.Completed, e
	}
	for n, e := range m.entries {
		if e.Place() != places[n] {
			t.Fatalf("entry %d is %v, want %v", n, e.Place(), places[n])
		}
		if want := queued[n]; want != nil && (e.Since != want.since || e.Retransmits() != want.retransmits) {
			t.Fatalf("entry %d: since %v, %d retransmissions, want %v and %d", n, e.Since, e.Retransmits(), want.since, want.retransmits)
		}
	}
}

func number(e *backlog.Entry[int]) int {
	if e == nil {
		return 0
	}
	return e.Value
}

func numbers(entries []*naiveEntry) []int {
	var all []int
	for _, e := range entries {
		all = append(all, e.number)
	}
	return all
}
