package sandbox

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processAttacks start programs and processes, or reach into others.
func processAttacks() map[string]attack {
	attacks := map[string]attack{
		"execve": func(*victim) func() error {
			return func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }
		},
		"execveat": func(v *victim) func() error {
			fd := v.open("/bin/true", unix.O_PATH)
			return func() error { return execFD(fd) }
		},
		"execveat-memfd": func(v *victim) func() error {
			fd, err := unix.MemfdCreate("program", 0)
			v.must(err)
			program, err := os.ReadFile("/bin/true")
			v.must(err)
			_, err = unix.Write(fd, program)
			v.must(err)
			return func() error { return execFD(fd) }
		},
		"memfd": func(*victim) func() error {
			return func() error { _, err := unix.MemfdCreate("program", 0); return err }
		},
		"fork": func(*victim) func() error {
			return func() error { return forks(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) }
		},
		"clone-user-namespace": func(*victim) func() error {
			return func() error { return forks(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)) }
		},
		"clone-pidfd": func(*victim) func() error {
			var pidfd int32
			return func() error {
				return forks(unix.SYS_CLONE, unix.CLONE_PIDFD|uintptr(unix.SIGCHLD), 0, uintptr(unsafe.Pointer(&pidfd)))
			}
		},
		"clone3": func(*victim) func() error { // a filter does not see its flags
			args := struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }{exitSignal: uint64(unix.SIGCHLD)}
			return func() error {
				return forks(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args))
			}
		},
		"unshare-user-network": func(*victim) func() error { // in a process of one thread
			return func() error {
				return forks(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_NEWNET|uintptr(unix.SIGCHLD))
			}
		},
		"setns": func(v *victim) func() error {
			fd := v.open("/proc/self/ns/net", unix.O_RDONLY)
			return func() error { return unix.Setns(fd, unix.CLONE_NEWNET) }
		},
		"kcmp": func(*victim) func() error {
			pid := uintptr(os.Getpid())
			return func() error { return call1(unix.SYS_KCMP, pid, pid, 1) } // KCMP_VM
		},
		"pidfd-open": func(*victim) func() error {
			return func() error { _, err := unix.PidfdOpen(os.Getpid(), 0); return err }
		},
		"session": func(*victim) func() error {
			return func() error { return call1(unix.SYS_GETPGID, 0) }
		},
	}
	for name, flag := range map[string]uintptr{
		"network": unix.CLONE_NEWNET, "mount": unix.CLONE_NEWNS, "ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS,
		"pid": unix.CLONE_NEWPID, "cgroup": unix.CLONE_NEWCGROUP,
	} {
		attacks["unshare-"+name] = func(*victim) func() error {
			return func() error { return unix.Unshare(int(flag)) }
		}
		attacks["clone-"+name] = func(*victim) func() error {
			return func() error { return forks(unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD)) }
		}
	}
	for name, attack := range neighbourAttacks() {
		attacks["neighbour-"+name] = func(v *victim) func() error {
			pid := v.neighbour()
			fd, err := unix.PidfdOpen(pid, 0)
			v.must(err)
			return func() error { return attack(pid, fd) }
		}
	}
	return attacks
}

// neighbourAttacks are on another process of the same user, of which the
// attacker has a descriptor.
func neighbourAttacks() map[string]func(pid, fd int) error {
	siginfo := unix.Siginfo{Signo: int32(unix.SIGTERM), Code: -1} // SI_QUEUE
	return map[string]func(pid, fd int) error{
		"kill":       func(pid, _ int) error { return unix.Kill(pid, unix.SIGTERM) },
		"kill-all":   func(int, int) error { return unix.Kill(0, 0) },
		"tgkill":     func(pid, _ int) error { return unix.Tgkill(pid, pid, unix.SIGTERM) },
		"tkill":      func(pid, _ int) error { return call1(unix.SYS_TKILL, uintptr(pid), uintptr(unix.SIGTERM)) },
		"pidfd-kill": func(_, fd int) error { return unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0) },
		"queue": func(pid, _ int) error {
			return call1(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(unix.SIGTERM), uintptr(unsafe.Pointer(&siginfo)))
		},
		"descriptor": func(_, fd int) error { _, err := unix.PidfdGetfd(fd, 0, 0); return err },
		"ptrace":     func(pid, _ int) error { return unix.PtraceSeize(pid) },
		"read": func(pid, _ int) error {
			return vm(unix.SYS_PROCESS_VM_READV, pid)
		},
		"write": func(pid, _ int) error {
			return vm(unix.SYS_PROCESS_VM_WRITEV, pid)
		},
		"limits": func(pid, _ int) error {
			var old unix.Rlimit
			return unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &old)
		},
		"priority": func(pid, _ int) error { return unix.Setpriority(unix.PRIO_PROCESS, pid, 19) },
		"affinity": func(pid, _ int) error {
			var set unix.CPUSet
			set.Set(0)
			return unix.SchedSetaffinity(pid, &set)
		},
		"own-descriptor": func(pid, _ int) error { // SIGIO when it can be read
			_, err := unix.FcntlInt(0, unix.F_SETOWN, pid)
			return err
		},
		"setns": func(_, fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) },
	}
}

// vm copies to or from the first mapping of a process that nobody has randomized:
// the vsyscall page is none, so the address is bad for whoever may look at all.
func vm(number uintptr, pid int) error {
	var data [8]byte
	local := unix.Iovec{Base: &data[0]}
	local.SetLen(0)
	return call1(number, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&local)), 1, 0)
}

// execFD becomes the program that is open.
func execFD(fd int) error {
	path, args := []byte("\x00"), [2]uintptr{}
	return call1(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&args[0])),
		uintptr(unsafe.Pointer(&args[1])), unix.AT_EMPTY_PATH)
}
