package stack

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/log"
)

// silence keeps netstack from writing to standard error. It has one log for the
// whole process, and warns of what clients do as they like (a SYN that comes
// while a port is being closed); what matters here is counted.
var silence = sync.OnceFunc(func() { log.SetTarget(nobody{}) })

// nobody is a log that nobody reads.
type nobody struct{}

// Emit implements log.Emitter.
func (nobody) Emit(int, log.Level, time.Time, string, ...any) {}
