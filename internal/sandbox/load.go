package sandbox

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Unlisted is what becomes of a system call outside the list: with "trap", Go's
// runtime ends the process and shows who made it, for tests; with anything else
// it fails with EPERM. It is read in Enter. A test that builds the program sets it
// with -ldflags -X.
var Unlisted string

// confineCalls leaves the process the calls of allowed, in all threads
// (SECCOMP_FILTER_FLAG_TSYNC). unfiltered says why they stay free.
func confineCalls() (unfiltered string, err error) {
	if native == nil {
		return noFilter(errUnknownProcessor)
	}
	otherwise := refuse
	if Unlisted == "trap" {
		otherwise = trap
	}
	raw, err := bpf.Assemble(assemble(*native, allowed(os.Getpid()), otherwise))
	if err != nil {
		return "", fmt.Errorf("seccomp: %w", err)
	}
	return noFilter(loadFilter(raw))
}

// errUnknownProcessor is one whose numbers of system calls nobody has looked
// through.
var errUnknownProcessor = errors.New("no list for this processor")

// loadFilter gives all threads the program. no_new_privs has to be set.
func loadFilter(raw []bpf.RawInstruction) error {
	filter := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	load := func(flags uintptr) error {
		thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(program)))
		switch {
		case errno != 0:
			return errno
		case thread != 0:
			return fmt.Errorf("thread %d has a filter of its own, which the others do not have", thread)
		}
		return nil
	}
	// A refused call is logged, where the kernel can (Linux 4.14).
	err := load(unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG)
	if errors.Is(err, unix.EINVAL) {
		err = load(unix.SECCOMP_FILTER_FLAG_TSYNC)
	}
	return err
}
