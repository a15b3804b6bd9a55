package events

import (
	"fmt"
	"slices"
	"strings"

	"tcplab/listener/handshake"
)

// Kinds is a set of kinds of events. The zero value has all of them.
type Kinds uint64

// ParseKinds reads names of kinds, separated by commas: "syn-dropped,expired".
// The empty string stands for all.
func ParseKinds(list string) (Kinds, error) {
	var k Kinds
	if list == "" {
		return k, nil
	}
	known := handshake.Kinds()
	for name := range strings.SplitSeq(list, ",") {
		i := slices.Index(known, strings.TrimSpace(name))
		if i < 0 {
			return 0, fmt.Errorf("unknown kind of event %q: known are %s", name, strings.Join(known, ", "))
		}
		k |= 1 << i
	}
	return k, nil
}

// Has reports whether kind is in the set.
func (k Kinds) Has(kind handshake.Kind) bool { return k == 0 || k&(1<<kind) != 0 }

// OneKind is the set of kind alone.
func OneKind(kind handshake.Kind) Kinds { return 1 << kind }
