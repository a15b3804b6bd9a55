package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/internal/events"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// epoch is when the tests of Digest begin.
var epoch = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// Each case is a number of events a second, what happens ("dropped 3" is three
// dropped SYNs at once, "wait 1s" passes time, "tick" asks for sums, "end" ends),
// and the lines that come of it.
func TestDigest(t *testing.T) {
	inUTC(t)
	const full = "13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8"
	for _, test := range []struct {
		name   string
		rate   int
		script string
		want   []string
	}{
		{"few are shown", 2, "dropped 2, wait 1s, dropped 2, end", []string{"SYN dropped: " + full, "SYN dropped: " + full, "SYN dropped: " + full, "SYN dropped: " + full}},
		{"many are summed up", 1, "dropped 9413, wait 1s, tick", []string{"SYN dropped: " + full, "9,412 more SYNs dropped in the last second: " + full}},
		{"not before the second is over", 1, "dropped 3, wait 999ms, tick", []string{"SYN dropped: " + full}},
		{"by the next event, too", 1, "dropped 3, wait 2s, dropped 1", []string{"SYN dropped: " + full, "2 more SYNs dropped in the last second: " + full, "SYN dropped: " + full}},
		{"and at the end", 1, "dropped 3, end", []string{"SYN dropped: " + full, "2 more SYNs dropped in the last second: " + full}},
		{"one more is itself", 1, "dropped 1, promoted 1, end", []string{"SYN dropped: " + full, "192.0.2.1:40002  promoted: incomplete 0, completed 0"}},
		{"kinds apart", 0, "promoted 2, dropped 2, promoted 3, accepted 2, end", []string{
			"5 more connections promoted in the last second: incomplete 0, completed 0",
			"2 more SYNs dropped in the last second: " + full,
			"2 more connections accepted in the last second: the last one waited 1.23s (incomplete 0, completed 0)"}},
		{"reasons apart", 0, "dropped 2, deferred 2, end", []string{
			"2 more SYNs dropped in the last second: " + full,
			"2 more SYNs dropped in the last second: bare ACK"}},
		{"losses are added", 0, "lossy 3, end", []string{"(21 events not shown: the reader is too slow)", "3 more SYNs dropped in the last second: " + full}},
		{"a loss of one that is shown", 1, "lossy 1, end", []string{"(7 events not shown: the reader is too slow)", "SYN dropped: " + full}},
		{"nothing", 1, "wait 1s, tick, end", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, now := events.NewDigest(test.rate), epoch
			var lines []events.Line
			for step := range strings.SplitSeq(test.script, ", ") {
				name, argument, _ := strings.Cut(step, " ")
				switch name {
				case "wait":
					pause, err := time.ParseDuration(argument)
					if err != nil {
						t.Fatal(err)
					}
					now = now.Add(pause)
				case "tick":
					lines = append(lines, d.Tick(now)...)
				case "end":
					lines = append(lines, d.End()...)
				default:
					var count int
					if _, err := fmt.Sscan(argument, &count); err != nil {
						t.Fatal(err)
					}
					for range count {
						lines = append(lines, d.Add(now, happened(name))...)
					}
				}
			}
			var got []string
			for i := range lines {
				got = append(got, strings.Split(lines[i].Text(false), "\n")...)
			}
			if len(got) != len(test.want) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
			for i, want := range test.want {
				if !strings.Contains(got[i], "  "+want) && !strings.Contains(got[i], want) {
					t.Errorf("line %d is %q, want %q", i, got[i], want)
				}
			}
		})
	}
}

// happened is an event of the scripts.
func happened(name string) events.Event {
	e := dropped()
	switch name {
	case "lossy":
		e.Lost = 7
	case "deferred":
		e.Decision.Reason = backlog.Deferred
	case "promoted":
		e = events.Event{Event: event(handshake.Promoted, 40002)}
	case "accepted":
		e = events.Event{Event: event(handshake.Accepted, 40002)}
		e.Waited = 1234567 * time.Microsecond
	}
	return e
}

// Every event is in one line, by itself or in one sum; the sums of kinds and of
// losses are equal to what happened; a second has no more lines than the rate and
// one for each group; nothing is kept back beyond Due.
func TestDigestCountsEveryEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(0, 5).Draw(t, "rate")
		d, now := events.NewDigest(rate), epoch
		came, told := make(map[handshake.Kind]uint64), make(map[handshake.Kind]uint64)
		var lost, toldLost uint64
		groups := make(map[string]bool) // of the current second
		inSecond := 0
		take := func(lines []events.Line) {
			for i := range lines {
				told[lines[i].Kind] += max(lines[i].More, 1)
				toldLost += lines[i].Lost
				if lines[i].More == 1 {
					t.Fatal("a sum of one event")
				}
				if lines[i].Text(true) == "" {
					t.Fatal("no text")
				}
			}
			inSecond += len(lines)
		}
		var began time.Time // of the second
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 400, 1500}).Draw(t, "ms")) * time.Millisecond)
			take(d.Tick(now))
			if due, ok := d.Due(); ok && !now.Before(due) {
				t.Fatalf("at %v it keeps what was due at %v", now, due)
			}
			if inSecond > rate+len(groups) {
				t.Fatalf("%d lines in a second, %d groups, rate %d", inSecond, len(groups), rate)
			}
			if now.Sub(began) >= time.Second {
				began, inSecond = now, 0
				clear(groups)
			}
			e := happened("dropped")
			e.Kind = handshake.Kind(rapid.IntRange(0, len(handshake.Kinds())-1).Draw(t, "kind"))
			e.Decision.Reason = rapid.SampledFrom([]backlog.Reason{backlog.TotalFull, backlog.CompletedFull}).Draw(t, "reason")
			e.Lost = uint64(rapid.IntRange(0, 2).Draw(t, "lost"))
			came[e.Kind]++
			lost += e.Lost
			groups[fmt.Sprint(e.Kind, e.Decision.Reason)] = true
			take(d.Add(now, e))
		}
		take(d.End())
		if _, ok := d.Due(); ok {
			t.Fatal("something is due after the end")
		}
		if fmt.Sprint(came) != fmt.Sprint(told) || lost != toldLost {
			t.Fatalf("told %v and %d lost, there were %v and %d", told, toldLost, came, lost)
		}
	})
}
