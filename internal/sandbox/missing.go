package sandbox

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// landlockABI is the version of landlock that the kernel has (landlock(7)); zero:
// none, and err says why.
type landlockABI struct {
	version int
	err     error
}

// abiScope is the version that has rules for signals.
const abiScope = 6

// rights are what landlock holds from a version on, beside the files, which it
// has from the first. What it cannot hold the filter of system calls holds alone,
// where that is there. Later versions hold UDP (10) and unix sockets (9): without
// a socket of its own the process has no use for them.
var rights = []struct {
	since int
	of    string // what has no rules
	can   string // what a process without rules and filter can do
}{
	{3, "truncating files", "shorten any file that its user may write"},
	{4, "TCP", "connect to and listen on any TCP port"},
	{5, "devices", "control, by ioctl(2), the devices that it can open"},
	{abiScope, "signals and abstract unix sockets", "send signals to other processes of its user, and connect to abstract unix sockets"},
}

// missing says what a process can still do, right by right, with this landlock,
// and with the filter if there is one; noFilter says why there is none.
func missing(held landlockABI, noFilter string) (notes []string) {
	if held.version == 0 {
		notes = append(notes, noLandlock(held.err)+": the process can open, change and remove every file that its user may")
	}
	if noFilter != "" {
		notes = append(notes, noFilter)
	}
	for _, right := range rights {
		if held.version >= right.since || held.version == 0 && right.of == rights[0].of { // said with the files
			continue
		}
		note := fmt.Sprintf("this kernel's landlock has no rules for %s (ABI %d, from %d on): ", right.of, held.version, right.since)
		if noFilter == "" {
			note += "the system call filter alone keeps the process from them"
		} else {
			note += "the process can " + right.can
		}
		notes = append(notes, note)
	}
	return notes
}

// inContainer is what to do where a call is forbidden that confines.
const inContainer = "by the seccomp filter of a container, for example: have that filter allow it (docker run --security-opt seccomp=PROFILE)"

// noLandlock says why landlock is not to be had, by the error of
// landlock_create_ruleset(2).
func noLandlock(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "landlock_create_ruleset(2) is forbidden here, " + inContainer
	case errors.Is(err, unix.EOPNOTSUPP):
		return "landlock is disabled in this kernel: boot it with landlock among those of lsm="
	case errors.Is(err, unix.ENOSYS):
		return "this kernel has no landlock (Linux has it from 5.13 on, with CONFIG_SECURITY_LANDLOCK)"
	}
	return fmt.Sprintf("landlock is not to be had: %v", err)
}

// noFilter says why there is no filter, by the error of seccomp(2), and what the
// process can do then; "" if there is one. An error that the kernel has no excuse
// for is ours.
func noFilter(err error) (note string, fault error) {
	const can = "the process can make every system call that its user may"
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, errUnknownProcessor):
		return fmt.Sprintf("tcplab has no list of system calls for %s: %s", runtime.GOARCH, can), nil
	case errors.Is(err, unix.EPERM):
		return fmt.Sprintf("seccomp(2) is forbidden here, %s; until then %s", inContainer, can), nil
	case errors.Is(err, unix.ENOSYS):
		return "this kernel has no seccomp(2) (Linux has it from 3.17 on, with CONFIG_SECCOMP): " + can, nil
	case errors.Is(err, unix.EINVAL):
		return "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER): " + can, nil
	}
	return "", fmt.Errorf("seccomp: %w", err)
}
