package stack

import (
	"sync"

	"tcplab/listener/segment"
)

// flows are the connections that netstack carries, by their tuples.
type flows struct {
	mu      sync.RWMutex // guards byTuple
	byTuple map[segment.Tuple]*flow
}

func (t *flows) init() { t.byTuple = make(map[segment.Tuple]*flow) }

func (t *flows) get(tuple segment.Tuple) *flow {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byTuple[tuple]
}

// put enters f and returns the flow that had the tuple before, if any.
func (t *flows) put(f *flow) *flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.byTuple[f.tuple]
	t.byTuple[f.tuple] = f
	return old
}

// remove takes f out, unless another flow has its tuple by now.
func (t *flows) remove(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byTuple[f.tuple] == f {
		delete(t.byTuple, f.tuple)
	}
}

func (t *flows) len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byTuple)
}

// all returns the flows of this moment.
func (t *flows) all() []*flow {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := make([]*flow, 0, len(t.byTuple))
	for _, f := range t.byTuple {
		list = append(list, f)
	}
	return list
}
