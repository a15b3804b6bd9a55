package events

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// Digest decides which events people are shown. The first ones of each second are
// shown as they come. Those beyond are counted, and summed up when the second is
// over: equal kinds, with equal reasons, in one line. Every event is either shown
// or counted in one sum.
//
// It has no clock: events and the time go in, lines come out. Not safe for
// concurrent use.
type Digest struct {
	rate  int       // events that are shown by themselves in a second
	began time.Time // when the current second began; zero before the first one
	shown int       // in the current second
	held  []sum     // in the order of their first events
	index map[group]int
}

// second is the time that is summed up.
const second = time.Second

// group is what one sum is of.
type group struct {
	kind    handshake.Kind
	verdict backlog.Verdict
	reason  backlog.Reason
	profile *backlog.Profile
	backlog int
}

// sum is how often something happened.
type sum struct {
	last  Event // its Lost is that of all of them
	count uint64
}

// Line is what people are shown: an event or, if More is not 0, the sum of More
// events of which Event is the last.
type Line struct {
	Event
	More uint64
}

// NewDigest makes a Digest that shows rate events a second by themselves.
func NewDigest(rate int) *Digest { return &Digest{rate: rate, index: make(map[group]int)} }

// Add takes an event and returns the lines that are to be shown now.
func (d *Digest) Add(now time.Time, e Event) []Line {
	lines := d.Tick(now)
	if d.began.IsZero() {
		d.began = now
	}
	if d.shown < d.rate {
		d.shown++
		return append(lines, Line{Event: e})
	}
	key := group{kind: e.Kind, verdict: e.Decision.Verdict, reason: e.Decision.Reason, profile: e.Profile, backlog: e.Limits.Backlog}
	i, known := d.index[key]
	if !known {
		i = len(d.held)
		d.index[key] = i
		d.held = append(d.held, sum{})
	}
	e.Lost += d.held[i].last.Lost
	d.held[i].last = e
	d.held[i].count++
	return lines
}

// Tick returns the sums of the current second if it is over.
func (d *Digest) Tick(now time.Time) []Line {
	if d.began.IsZero() || now.Sub(d.began) < second {
		return nil
	}
	return d.End()
}

// Due is when Tick has sums to return; false if there is nothing to sum up.
func (d *Digest) Due() (at time.Time, ok bool) { return d.began.Add(second), len(d.held) > 0 }

// End ends the current second and returns its sums. The sum of one event is that
// event.
func (d *Digest) End() []Line {
	var lines []Line
	for _, s := range d.held {
		if s.count == 1 {
			s.count = 0
		}
		lines = append(lines, Line{s.last, s.count})
	}
	clear(d.index)
	d.began, d.shown, d.held = time.Time{}, 0, nil
	return lines
}

// Text is the line in words: that of Record, or "12:00:02.123456  9,412 more SYNs
// dropped in the last second: 13 of 13 queued …", with the reason of the last one.
func (l *Line) Text(showServer bool) string {
	record := NewRecord(&l.Event)
	if l.More == 0 {
		return record.Text(showServer)
	}
	of := ""
	switch l.Kind {
	case handshake.Retransmitted, handshake.Expired, handshake.Accepted: // reasons of one alone
		of = "the last one "
	}
	at := record.Time.Local().Format(TextTime)
	return record.lossText(at) + fmt.Sprintf("%s  %s more %s in the last second: %s%s", at, humanize.Comma(int64(l.More)), many[l.Kind], of, record.Reason)
}

// many names several events of a kind.
var many = map[handshake.Kind]string{
	handshake.SYNAdmitted:    "SYNs admitted",
	handshake.SYNDropped:     "SYNs dropped",
	handshake.SYNRepeated:    "SYNs repeated",
	handshake.CookieSent:     "SYN cookies sent",
	handshake.Retransmitted:  "SYN-ACKs sent again",
	handshake.Expired:        "entries expired",
	handshake.Evicted:        "entries evicted",
	handshake.ACKDropped:     "final ACKs dropped",
	handshake.ACKReset:       "final ACKs reset",
	handshake.ACKForgotten:   "final ACKs forgotten",
	handshake.Promoted:       "connections promoted",
	handshake.Parked:         "connections parked",
	handshake.Accepted:       "connections accepted",
	handshake.Reset:          "connections reset by clients",
	handshake.AdoptionFailed: "adoptions failed",
	handshake.Closed:         "entries closed",
}
