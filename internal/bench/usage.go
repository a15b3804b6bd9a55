package bench

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// resident is how many bytes the process holds in memory.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(fields[1], 10, 64)
	return pages * uint64(os.Getpagesize())
}

// cpuTime is what the process has used, in user and in kernel mode.
func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fileListener makes a net.Listener of a listening socket, which it takes over.
func fileListener(fd int) (net.Listener, error) {
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // FileListener has its own copy
	return net.FileListener(file)
}

// kernelCounts fills in what the kernel counts in the process's namespace.
func kernelCounts(u *Usage) {
	text, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names[:min(len(names), len(fields))] {
			if name == "ListenDrops" || name == "SyncookiesSent" {
				n, _ := strconv.ParseUint(fields[i], 10, 64)
				u.SYNs += n
			}
		}
	}
}

// slabObject is the size of a kind of object of the kernel's in bytes.
func slabObject(name string) (float64, error) {
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[0] == name {
			return strconv.ParseFloat(fields[3], 64)
		}
	}
	return 0, fmt.Errorf("/proc/slabinfo has no %s", name)
}
