package sandbox

import (
	"slices"

	"golang.org/x/sys/unix"
)

// call is a system call that the confined process may make.
type call struct {
	number uint32
	// when are the arguments with which it may: all tests of one of the groups
	// hold. Nil: any.
	when [][]test
}

// test holds if an argument, of those bits that mask has, is value.
type test struct {
	arg         int
	mask, value uint64
}

// The bits of an argument that the kernel looks at.
const (
	bits32 = 1<<32 - 1 // of an int: a descriptor, a command, flags
	bits64 = 1<<64 - 1 // of a pointer or a size
)

// allowed are the calls of a process with this ID: every other one fails. Who
// needs a call is said at its group. Linux (since 5.11) remembers which numbers
// are allowed whatever their arguments and does not run the filter for them; for
// older kernels those of the data path come first.
//
// Nothing here makes a descriptor for something new outside the process: no
// socket (accept4 takes what came to one that listens already), no memfd, no
// pidfd, no ring. Opening is left to landlock, which compares paths. A ring for
// the interface (io_uring) would be made and restricted to that descriptor before
// Enter; then io_uring_enter joins this list, and io_uring_setup and
// io_uring_register do not. See docs/security.md.
func allowed(pid int) []call {
	return slices.Concat(
		// The data path: packets, and Go's scheduler around them.
		always(unix.SYS_READ, unix.SYS_WRITE, unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_EPOLL_PWAIT,
			unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_SCHED_YIELD),

		// Go's runtime: the poller, timers, signals that it sends itself to preempt.
		always(unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_CREATE1, unix.SYS_EVENTFD2,
			unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETRANDOM, unix.SYS_RESTART_SYSCALL,
			unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
			unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_SCHED_GETAFFINITY, unix.SYS_EXIT, unix.SYS_EXIT_GROUP),
		with(unix.SYS_TGKILL, is(0, pid)),
		with(unix.SYS_KILL, is(0, pid)),

		// Memory, of which none can be made executable.
		always(unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK),
		with(unix.SYS_MMAP, lacks(2, unix.PROT_EXEC)),
		with(unix.SYS_MPROTECT, lacks(2, unix.PROT_EXEC)),
		with(unix.SYS_PRCTL, is(0, unix.PR_SET_VMA)), // names of mappings

		// Threads, never processes or namespaces. Where Go is built with cgo, the C
		// library makes them; without clone3, of which a filter cannot see the flags,
		// it takes clone (see refusal).
		with(unix.SYS_CLONE, [][]test{{{0, bits32 &^ threadOptional, threadFlags}}}),
		always(unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ),

		// What the interface is called now, for status.
		with(unix.SYS_IOCTL, is(1, unix.TUNGETIFF)),

		// Files: the capture, events, what the metrics read, the time zone.
		always(unix.SYS_OPENAT, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_NEWFSTATAT, unix.SYS_LSEEK, unix.SYS_GETDENTS64,
			unix.SYS_READLINKAT, unix.SYS_PREAD64, unix.SYS_PWRITE64, unix.SYS_FTRUNCATE, unix.SYS_FSYNC),
		with(unix.SYS_FCNTL, is(1, unix.F_GETFL, unix.F_SETFL, unix.F_GETFD, unix.F_SETFD, unix.F_DUPFD_CLOEXEC)),
		// Their rotation, and the control socket, which is removed at the end.
		always(unix.SYS_RENAMEAT2, unix.SYS_UNLINKAT, unix.SYS_FCHMOD, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_GETCWD, unix.SYS_FLOCK),
		// The background: stdin, stdout and stderr become /dev/null.
		always(unix.SYS_DUP3),

		// Clients of the control socket, the page and the metrics.
		always(unix.SYS_ACCEPT4, unix.SYS_SHUTDOWN, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME),
		with(unix.SYS_GETSOCKOPT, option(unix.SOL_SOCKET, unix.SO_PEERCRED, unix.SO_ERROR)),
		with(unix.SYS_SETSOCKOPT,
			option(unix.SOL_SOCKET, unix.SO_KEEPALIVE, unix.SO_LINGER),
			option(unix.IPPROTO_TCP, unix.TCP_NODELAY, unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT, unix.TCP_USER_TIMEOUT)),

		// Who it is, and what it may use: metrics, capture's description, Target.
		always(unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID, unix.SYS_CAPGET,
			unix.SYS_UNAME, unix.SYS_SYSINFO, unix.SYS_GETRUSAGE, unix.SYS_STATFS),
		with(unix.SYS_PRLIMIT64, [][]test{{{0, bits32, 0}, {2, bits64, 0}}}), // its own limits, not to set them

		processorCalls,
	)
}

// Flags of clone(2) that make a thread of this process, and those that a C
// library adds for one.
const (
	threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD | unix.CLONE_SYSVSEM

	threadOptional = unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID | unix.CLONE_CHILD_SETTID | unix.CLONE_DETACHED
)

// always are calls that are allowed whatever their arguments.
func always(numbers ...uint32) []call {
	calls := make([]call, len(numbers))
	for i, number := range numbers {
		calls[i] = call{number: number}
	}
	return calls
}

// with is a call that is allowed if one of the groups holds.
func with(number uint32, groups ...[][]test) []call {
	return []call{{number, slices.Concat(groups...)}}
}

// is wants an int argument to be one of values.
func is(arg int, values ...int) (groups [][]test) {
	for _, value := range values {
		groups = append(groups, []test{{arg, bits32, uint64(uint32(value))}})
	}
	return groups
}

// lacks wants an argument to have none of these bits.
func lacks(arg int, bits uint64) [][]test { return [][]test{{{arg, bits, 0}}} }

// option wants setsockopt or getsockopt to be about one of these options.
func option(level int, names ...int) (groups [][]test) {
	for _, name := range names {
		groups = append(groups, []test{{1, bits32, uint64(level)}, {2, bits32, uint64(name)}})
	}
	return groups
}
