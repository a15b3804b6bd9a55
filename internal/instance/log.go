package instance

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// newLogger makes the logger of an instance: a line each, with whatever clients
// send quoted, and not more of them than somebody can read. Clients cause some of
// them, and could fill a disk otherwise. Nil for w: nothing is logged.
func newLogger(w io.Writer, asJSON bool) *slog.Logger {
	if w == nil {
		return slog.New(slog.DiscardHandler)
	}
	var handler slog.Handler = slog.NewTextHandler(w, nil)
	if asJSON {
		handler = slog.NewJSONHandler(w, nil)
	}
	return slog.New(limited{handler, &limit{Limiter: rate.NewLimiter(logRate, logBurst)}})
}

// How many lines are logged: logBurst at once, logRate a second.
const (
	logRate  = 5
	logBurst = 20
)

// limit is what the loggers that come of one have in common.
type limit struct {
	*rate.Limiter
	left atomic.Uint64 // records that were left out since the last line
}

// limited is a handler that leaves out what is too much, and says how much that
// was.
type limited struct {
	slog.Handler
	limit *limit
}

// Handle implements slog.Handler.
func (l limited) Handle(ctx context.Context, r slog.Record) error {
	if !l.limit.Allow() {
		l.limit.left.Add(1)
		return nil
	}
	if left := l.limit.left.Swap(0); left > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Uint64("left_out_before", left))
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limited{l.Handler.WithAttrs(attrs), l.limit}
}

// WithGroup implements slog.Handler.
func (l limited) WithGroup(name string) slog.Handler {
	return limited{l.Handler.WithGroup(name), l.limit}
}
