package lab

import (
	"fmt"
	"strings"
	"time"

	"tcplab/internal/trace"
	"tcplab/listener"
)

// ItemKind is what a part of a lab's account is.
type ItemKind string

// The kinds of items.
const (
	StepItem  ItemKind = "step"  // what is about to happen
	SayItem   ItemKind = "say"   // what was seen
	ShowItem  ItemKind = "show"  // lines as they were
	HoldsItem ItemKind = "holds" // a claim that holds
	FailsItem ItemKind = "fails" // a claim that does not
)

// Item is a part of a lab's account.
type Item struct {
	At   time.Duration `json:"at_ns"` // since the lab began
	Kind ItemKind      `json:"kind"`
	Text string        `json:"text"`
}

// text is the item on a terminal.
func (i *Item) text() string {
	switch i.Kind {
	case StepItem:
		return "\n" + wrap(i.Text, "", "   ") + "\n"
	case ShowItem:
		return "     | " + strings.ReplaceAll(i.Text, "\n", "\n     | ") + "\n"
	case HoldsItem:
		return wrap(i.Text, "   ok: ", "       ") + "\n"
	case FailsItem:
		return wrap(i.Text, "   FAILED: ", "       ") + "\n"
	}
	return wrap(i.Text, "   ", "   ") + "\n"
}

// textWidth is where lines of text end.
const textWidth = 79

// wrap breaks text into lines, the first one with another indent.
func wrap(text, first, rest string) string {
	var b strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		if i > 0 && len(line)+1+len(word) > textWidth {
			b.WriteString(line + "\n")
			line = rest + word
			continue
		}
		if i > 0 {
			line += " "
		}
		line += word
	}
	b.WriteString(line)
	return b.String()
}

// Record is all that a lab's run left.
type Record struct {
	Items   []Item
	Servers []*ServerRecord
}

// ServerRecord is what one endpoint of a lab left.
type ServerRecord struct {
	Title   string
	Rule    string // "bsd: incomplete + completed <= 13, …"
	Events  []listener.Event
	Packets []trace.Packet
	Lost    uint64 // packets and events that were not seen
}

// Failed is how many claims did not hold, of how many.
func (r *Record) Failed() (failed, claims int) {
	for i := range r.Items {
		switch r.Items[i].Kind {
		case FailsItem:
			failed++
			claims++
		case HoldsItem:
			claims++
		}
	}
	return failed, claims
}

// ClaimError says that claims did not hold.
type ClaimError struct{ Failed, Claims int }

func (e *ClaimError) Error() string {
	return fmt.Sprintf("%d of %d claims did not hold, they are marked FAILED", e.Failed, e.Claims)
}
