package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// untilSignal is a context that ends with the first signal that asks the process
// to end: Ctrl-C, SIGTERM, or that of a closing terminal. The second one ends
// the process at once. A SIGHUP that nohup(1) has turned off stays so. Writing
// to a pipe that nobody reads is an error from then on, not the end.
func untilSignal(ctx context.Context) (context.Context, func()) {
	signals := []os.Signal{unix.SIGINT, unix.SIGTERM}
	if !signal.Ignored(unix.SIGHUP) {
		signals = append(signals, unix.SIGHUP)
	}
	signal.Ignore(unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
