package stack

import (
	"hash/maphash"
	"sync"

	"tcplab/listener/segment"
)

// flows are the connections that netstack carries, by their tuples. They are
// looked up with netstack's locks held, while its goroutines spin for these
// locks: so nobody should have to wait here, and the map comes in shards.
type flows struct {
	seed   maphash.Seed
	shards [256]flowShard
}

type flowShard struct {
	mu      sync.RWMutex // guards byTuple
	byTuple map[segment.Tuple]*flow
}

func (t *flows) init() {
	t.seed = maphash.MakeSeed()
	for i := range t.shards {
		t.shards[i].byTuple = make(map[segment.Tuple]*flow)
	}
}

func (t *flows) shard(tuple *segment.Tuple) *flowShard {
	return &t.shards[maphash.Comparable(t.seed, *tuple)%uint64(len(t.shards))]
}

func (t *flows) get(tuple segment.Tuple) *flow {
	s := t.shard(&tuple)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byTuple[tuple]
}

// put enters f and returns the flow that had the tuple before, if any.
func (t *flows) put(f *flow) *flow {
	s := t.shard(&f.tuple)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.byTuple[f.tuple]
	s.byTuple[f.tuple] = f
	return old
}

// replace enters f in the place of old, unless another flow has the tuple by now.
func (t *flows) replace(old, f *flow) bool {
	s := t.shard(&f.tuple)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTuple[f.tuple] != old {
		return false
	}
	s.byTuple[f.tuple] = f
	return true
}

// remove takes f out, unless another flow has its tuple by now.
func (t *flows) remove(f *flow) {
	s := t.shard(&f.tuple)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTuple[f.tuple] == f {
		delete(s.byTuple, f.tuple)
	}
}

func (t *flows) len() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += len(s.byTuple)
		s.mu.RUnlock()
	}
	return n
}

// all returns the flows of about this moment.
func (t *flows) all() []*flow {
	var list []*flow
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, f := range s.byTuple {
			list = append(list, f)
		}
		s.mu.RUnlock()
	}
	return list
}
