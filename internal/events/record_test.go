package events_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/events"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// dropped is a SYN that found bsd's queues full.
func dropped() events.Event {
	e := events.Event{Event: event(handshake.SYNDropped, 40001)}
	e.Limits = profiles.BSD.Limits(backlog.Settings{Backlog: 8, Somaxconn: 4096})
	e.Counts = backlog.Counts{Completed: 13}
	e.Decision = backlog.Decision{Verdict: backlog.Drop, Reason: backlog.TotalFull, Have: 13, Bound: 13}
	return e
}

// inUTC has times shown in UTC.
func inUTC(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

func TestText(t *testing.T) {
	inUTC(t)
	lossy := dropped()
	lossy.Lost = 7
	accepted := events.Event{Event: event(handshake.Accepted, 40002)}
	accepted.Waited = 1234567 * time.Microsecond
	for _, test := range []struct {
		event      events.Event
		showServer bool
		want       string
	}{
		{dropped(), false, "12:00:01.123456  192.0.2.1:40001  SYN dropped: 13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8"},
		{accepted, true, "12:00:01.123456  192.0.2.1:40002 > 192.0.2.2:80  accepted: waited 1.23s (incomplete 0, completed 0)"},
		{lossy, false, "12:00:01.123456  (7 events not shown: the reader is too slow)\n" +
			"12:00:01.123456  192.0.2.1:40001  SYN dropped: 13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8"},
	} {
		record := events.NewRecord(&test.event)
		if got := record.Text(test.showServer); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestJSON(t *testing.T) {
	e := dropped()
	e.Lost = 3
	record := events.NewRecord(&e)
	line, err := events.JSON(&record)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-05-04T12:00:01.123456Z","kind":"syn-dropped","event":"SYN dropped",` +
		`"client":"192.0.2.1:40001","server":"192.0.2.2:80","verdict":"drop",` +
		`"reason":"13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8",` +
		`"incomplete":0,"completed":13,"bound":13,"profile":"bsd","backlog":8,"retransmits":0,"waited_us":0,"lost":3}` + "\n"
	if string(line) != want {
		t.Errorf("got  %swant %s", line, want)
	}
	var back events.Record
	if err := json.Unmarshal(line, &back); err != nil {
		t.Fatal(err)
	}
	if back != record {
		t.Errorf("read back %+v, want %+v", back, record)
	}
}

// A record of each kind has words, a reason, and a verdict where one was given.
func TestEachKind(t *testing.T) {
	for i, name := range handshake.Kinds() {
		e := dropped()
		e.Kind = handshake.Kind(i)
		record := events.NewRecord(&e)
		if record.Kind != name || record.Event == "" || record.Reason == "" {
			t.Errorf("%s: %+v", name, record)
		}
		decided := strings.HasPrefix(name, "ack-") || name == "syn-admitted" || name == "syn-dropped" ||
			name == "cookie-sent" || name == "promoted" || name == "parked"
		if (record.Verdict != "") != decided {
			t.Errorf("%s: verdict %q", name, record.Verdict)
		}
	}
}

func TestParseKinds(t *testing.T) {
	kinds, err := events.ParseKinds("")
	if err != nil || !kinds.Has(handshake.Closed) {
		t.Errorf("the empty list: %v, %v; want all kinds", kinds, err)
	}
	kinds, err = events.ParseKinds("syn-dropped,closed")
	if err != nil || !kinds.Has(handshake.SYNDropped) || !kinds.Has(handshake.Closed) || kinds.Has(handshake.Accepted) {
		t.Errorf("two kinds: %v, %v", kinds, err)
	}
	if _, err := events.ParseKinds("syn-dropped,nonsense"); err == nil || !strings.Contains(err.Error(), `"nonsense": known are syn-admitted, syn-dropped`) {
		t.Errorf("error %v, want one that names the kinds", err)
	}
}

// sink notes what was written before the last flush.
type sink struct {
	bytes.Buffer
	flushed int
	err     error
}

func (s *sink) Write(p []byte) (int, error) {
	n, _ := s.Buffer.Write(p)
	return n, s.err
}

func (s *sink) Flush() error {
	s.flushed = s.Len()
	return s.err
}

func TestCopy(t *testing.T) {
	inUTC(t)
	var hub events.Hub
	s := hub.Subscribe(10, 0)
	for n := range 3 {
		hub.Publish(event(handshake.Promoted, 40000+n))
	}
	hub.Close()
	var out sink
	if err := events.Copy(t.Context(), &out, s, events.Text(false)); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 3 || out.flushed != out.Len() {
		t.Errorf("%d lines, %d of %d bytes flushed; want 3, all", lines, out.flushed, out.Len())
	}
}

func TestCopyStopsAtAnError(t *testing.T) {
	var hub events.Hub
	defer hub.Close()
	s := hub.Subscribe(10, 0)
	hub.Publish(event(handshake.Promoted, 1))
	full := errors.New("disk full")
	if err := events.Copy(t.Context(), &sink{err: full}, s, events.JSON); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := events.Copy(ctx, &sink{}, s, events.JSON); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// Each look takes what waits, the newest events, and no more until the next.
func TestCopyEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = time.Second
		var hub events.Hub
		s := hub.Subscribe(2, 0)
		var out sink
		var told uint64 // shown and lost together
		done := make(chan error)
		go func() { done <- events.CopyEvery(t.Context(), &out, s, events.JSON, every) }()
		const between = every * 7 / 5 // so that nobody publishes at the moment of a look
		for round := range time.Duration(3) {
			for n := range 5 {
				hub.Publish(event(handshake.Promoted, 40000+n))
			}
			synctest.Wait()
			// The first event of a look comes with at most two that wait behind it.
			most := 3 * int(round*between/every+1)
			if lines := strings.Count(out.String(), "\n"); lines > most || out.flushed != out.Len() {
				t.Errorf("round %d: %d lines, want at most %d; %d of %d bytes flushed", round, lines, most, out.flushed, out.Len())
			}
			s.Waiting() // locks s, as the next look does: what it writes is written after this was read
			time.Sleep(between)
		}
		synctest.Wait()
		for decoder := json.NewDecoder(&out); ; {
			var r events.Record
			if decoder.Decode(&r) != nil {
				break
			}
			told += 1 + r.Lost
		}
		if told != 15 {
			t.Errorf("%d events shown or counted as lost, want 15", told)
		}
		hub.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
