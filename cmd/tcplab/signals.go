package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// untilSignal is a context that ends with the first signal that asks the process
// to end: Ctrl-C, SIGTERM, or that of a closing terminal. The second one ends
// the process at once, unless it comes with the first, as those of timeout(1) do,
// which signals its child and then the group that it is in. A SIGHUP that nohup(1)
// has turned off stays so. Writing to a pipe that nobody reads is an error from
// then on, not the end.
func untilSignal(ctx context.Context) (context.Context, func()) {
	signals := []os.Signal{unix.SIGINT, unix.SIGTERM}
	if !signal.Ignored(unix.SIGHUP) {
		signals = append(signals, unix.SIGHUP)
	}
	signal.Ignore(unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, func() { time.AfterFunc(together, stop) })
	return ctx, stop
}

// together is how long after the first signal another one is the same.
const together = 500 * time.Millisecond

// interruptedError is the end of what a signal ended before it was done.
type interruptedError struct{ what string }

func (e *interruptedError) Error() string {
	return fmt.Sprintf("%s was interrupted: what it made is gone", e.what)
}

// interrupted is err, of what ran under a context of untilSignal, unless it was
// the signal that made it fail.
func interrupted(ctx context.Context, what string, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return &interruptedError{what}
}
