package memlimit

import (
	"math"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// forGo is the share of a control group's limit that Go's heap and stacks may
// take. The rest is for what the kernel charges to the group beside them: the
// program's pages, files that are being written, packets in the interface's queue.
const forGo = 0.8

// limit is in bytes; zero before Enter.
var limit atomic.Int64

// Enter sets the collector's limit by that of the control group, unless
// $GOMEMLIMIT is set. It returns why the control group's limit cannot be read.
func Enter() error {
	group, err := fromGroup()
	own := debug.SetMemoryLimit(-1) // of $GOMEMLIMIT
	if own == math.MaxInt64 && group > 0 {
		debug.SetMemoryLimit(int64(forGo * float64(group)))
	}
	limit.Store(smallest(own, group, machine()))
	return err
}

// Limit is how many bytes the process may use; 0 if that is not known.
func Limit() int64 { return limit.Load() }

// machine is the machine's memory.
func machine() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// smallest is the smallest of those that are limits; 0 if none is.
func smallest(limits ...int64) int64 {
	least := int64(0)
	for _, l := range limits {
		if l > 0 && l < math.MaxInt64 && (least == 0 || l < least) {
			least = l
		}
	}
	return least
}

// plenty is a limit with which everything has its full size.
const plenty = 1 << 30

// Share is how much of a bound is left under the limit: all of it from 1 GB on,
// in proportion below.
func Share(bound int) int { return share(Limit(), bound) }

func share(limit int64, bound int) int {
	if limit <= 0 || limit >= plenty {
		return bound
	}
	return max(int(float64(bound)*float64(limit)/plenty), 1)
}
