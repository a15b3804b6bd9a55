package instance

import (
	"context"
	"errors"
	"io"
	"time"

	"tcplab/internal/events"
)

// linesASecond is how many events people are shown one by one.
const linesASecond = 50

// follow shows the events of s until it ends: as text for people, summed up where
// they come faster than people read (events.Digest), as JSON all of them.
func (o *output) follow(s *events.Subscription) error {
	if o.json {
		return events.Copy(context.Background(), o, s, events.JSON)
	}
	digest := events.NewDigest(linesASecond)
	wait := newAlarm()
	defer func() { wait.stop() }()
	for {
		due, ok := digest.Due()
		e, err := s.Next(wait.until(due, ok))
		var lines []events.Line
		switch {
		case err == nil:
			lines = digest.Add(time.Now(), e)
		case errors.Is(err, context.DeadlineExceeded):
			lines = digest.Tick(time.Now())
		case errors.Is(err, io.EOF):
			lines = digest.End()
		}
		for i := range lines {
			if _, err := o.Write([]byte(lines[i].Text(o.showServer) + "\n")); err != nil {
				return err
			}
		}
		if len(lines) > 0 && s.Waiting() == 0 || err != nil {
			if err := o.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// alarm is a context that ends at a time. It is made again only when that time
// changes, not for each event.
type alarm struct {
	ctx  context.Context
	stop context.CancelFunc
	at   time.Time
}

func newAlarm() *alarm { return &alarm{ctx: context.Background(), stop: func() {}} }

// until is a context that ends at the time of at, or never unless set.
func (a *alarm) until(at time.Time, set bool) context.Context {
	if !set {
		at = time.Time{}
	}
	if a.at.Equal(at) {
		return a.ctx
	}
	a.stop()
	a.at, a.ctx, a.stop = at, context.Background(), func() {}
	if set {
		a.ctx, a.stop = context.WithDeadline(context.Background(), at)
	}
	return a.ctx
}
