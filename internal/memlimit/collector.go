package memlimit

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go's collector lets the heap grow to twice of what lives in it. Of a small heap
// that is little; 10,000 connections would waste hundreds of megabytes.
const (
	roomAtLeast = 64 << 20 // a heap as large as this may double
	leastGOGC   = 15       // a larger one grows by no less than a seventh, however large it is
	fullGOGC    = 100      // Go's default
)

// gogc is GOGC for a heap of which so many bytes live.
func gogc(live uint64) int {
	if live <= roomAtLeast {
		return fullGOGC
	}
	return max(int(fullGOGC*roomAtLeast/live), leastGOGC)
}

const lookInterval = time.Second

// Collect has the collector leave a large heap less room, until ctx ends. It does
// nothing if $GOGC is set.
func Collect(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := fullGOGC
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(sample)
		// A change stops the world for a moment: not for a few percent.
		if want := gogc(sample[0].Value.Uint64()); want-now >= 10 || now-want >= 10 {
			debug.SetGCPercent(want)
			now = want
		}
	}
}
