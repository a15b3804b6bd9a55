package handshake

import "time"

// Deadlines are the timers that run: those of each stage, in the order of the
// stage's list.
func (m *Machine) Deadlines() [][]time.Duration {
	var all [][]time.Duration
	for i := range m.timers.stages {
		var stage []time.Duration
		for e := m.timers.stages[i].front; e != nil; e = e.Value.next {
			stage = append(stage, e.Value.deadline)
		}
		all = append(all, stage)
	}
	return all
}
