package instance

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fewestDescriptors is how many an instance needs to start and to be asked: the
// interface, sockets, files, and what the sandbox opens for a moment. Connections
// take none.
const fewestDescriptors = 32

// enoughDescriptors refuses to start with so few descriptors (RLIMIT_NOFILE) that
// something would fail half-way.
func enoughDescriptors() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("reading how many files may be open (RLIMIT_NOFILE): %w", err)
	}
	if limit.Cur < fewestDescriptors {
		return fmt.Errorf("this process may open %d files at once, it needs %d: raise the limit with ulimit -n", limit.Cur, fewestDescriptors)
	}
	return nil
}
