package instance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tcplab/internal/events"
)

// change is what somebody has changed of the settings.
type change struct {
	at     time.Time
	values map[string]string // by name
	rule   string            // that follows
}

// changes are the changes that are to be told. Whoever makes one does not wait
// until it is told: nobody reads the output, perhaps.
type changes struct {
	made  chan change
	ended chan struct{} // closed by end
}

// maxChanges is how many changes wait to be told; more are not told.
const maxChanges = 64

func newChanges() *changes {
	return &changes{made: make(chan change, maxChanges), ended: make(chan struct{})}
}

func (c *changes) add(values map[string]string, rule string) {
	select {
	case c.made <- change{time.Now(), values, rule}:
	default:
	}
}

// end says that no more changes come.
func (c *changes) end() { close(c.ended) }

// tell tells changes on the output until the end, or until that fails.
func (c *changes) tell(o *output) error {
	for {
		select {
		case made := <-c.made:
			if err := o.changed(&made); err != nil {
				return err
			}
		case <-c.ended:
			if len(c.made) == 0 {
				return nil
			}
		}
	}
}

// changed says which settings were changed, to what, and the rule that follows.
func (o *output) changed(c *change) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  set", c.at.Format(events.TextTime))
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		fmt.Fprintf(&b, " %s=%s", name, c.values[name])
	}
	fmt.Fprintf(&b, ": %s\n", c.rule)
	return o.say(b.String(), notice{Kind: "set", Changes: c.values})
}
