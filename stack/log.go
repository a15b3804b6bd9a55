package stack

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/log"
)

// Netstack has one log for the whole process, and warns of what clients do as they
// like. Its packages keep the logger that they find when they are initialized
// (ipv4 for martian packets), so that log.SetTarget comes too late for them: the
// logger itself is told where to write, while nobody else runs yet.
func init() { log.Log().Emitter = emitter{} }

// netstackLog takes netstack's lines: the logger of the stack that was made last.
// Nil: nobody does.
var netstackLog atomic.Pointer[slog.Logger]

// emitter implements log.Emitter.
type emitter struct{}

// Emit hands a line to our logger, which knows how to write it.
func (emitter) Emit(_ int, level log.Level, _ time.Time, format string, args ...any) {
	logger := netstackLog.Load()
	if logger == nil {
		return
	}
	to := slog.LevelDebug
	switch level {
	case log.Warning:
		to = slog.LevelWarn
	case log.Info:
		to = slog.LevelInfo
	}
	logger.Log(context.Background(), to, "netstack: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
}
