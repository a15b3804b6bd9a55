package ui

import (
	"slices"

	"tcplab/internal/events"
	"tcplab/listener/handshake"
)

// choose picks at most most of list to be shown, in its order: of each kind its
// newest ones, so that a rare kind is not hidden by a frequent one, and then the
// newest of all. hidden is the number of the others.
func choose(list []events.Event, most int) (shown []events.Event, hidden int) {
	if len(list) <= most {
		return list, 0
	}
	kinds := make(map[handshake.Kind]int)
	for i := range list {
		kinds[list[i].Kind] = 0
	}
	share := max(most/len(kinds), 1)
	picked := make([]int, 0, most)
	var rest []int
	for i := len(list) - 1; i >= 0; i-- {
		kind := list[i].Kind
		if kinds[kind] < share && len(picked) < most {
			kinds[kind]++
			picked = append(picked, i)
		} else if len(rest) < most {
			rest = append(rest, i)
		}
	}
	picked = append(picked, rest[:min(len(rest), most-len(picked))]...)
	slices.Sort(picked)
	for _, i := range picked {
		shown = append(shown, list[i])
	}
	return shown, len(list) - len(shown)
}
