package sandbox

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelAttacks make memory executable, or reach the kernel's larger interfaces.
func kernelAttacks() map[string]attack {
	simple := func(try func() error) attack { return func(*victim) func() error { return try } }
	call := func(number uintptr, args ...uintptr) attack {
		return simple(func() error { return call1(number, args...) })
	}
	page := func(v *victim) []byte {
		memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		v.must(err)
		return memory
	}
	const keySession, keyGetID = ^uintptr(2), 0 // KEY_SPEC_SESSION_KEYRING, KEYCTL_GET_KEYRING_ID
	return map[string]attack{
		"mmap-exec": simple(func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		}),
		"mprotect-exec": func(v *victim) func() error {
			memory := page(v)
			return func() error { return unix.Mprotect(memory, unix.PROT_READ|unix.PROT_EXEC) }
		},
		"pkey-mprotect-exec": func(v *victim) func() error {
			memory := page(v)
			return func() error {
				return call1(unix.SYS_PKEY_MPROTECT, uintptr(unsafe.Pointer(&memory[0])), 4096, unix.PROT_READ|unix.PROT_EXEC, ^uintptr(0))
			}
		},
		"personality":   call(unix.SYS_PERSONALITY, 0x0400000),  // READ_IMPLIES_EXEC
		"shared-memory": call(unix.SYS_SHMGET, 0, 4096, 0o1600), // IPC_PRIVATE, IPC_CREAT
		"message-queue": call(unix.SYS_MSGGET, 0, 0o1600),
		"semaphores":    call(unix.SYS_SEMGET, 0, 1, 0o1600),
		"memfd-secret":  call(unix.SYS_MEMFD_SECRET, 0),

		"io-uring-setup": func(*victim) func() error {
			var params [120]byte // struct io_uring_params
			return func() error { return call1(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&params))) }
		},
		"io-uring-enter": func(v *victim) func() error { // of a ring from before
			fd := ring(v)
			return func() error { return call1(unix.SYS_IO_URING_ENTER, fd, 0, 0, 0) }
		},
		"io-uring-register": func(v *victim) func() error {
			fd := ring(v)
			return func() error {
				var probe [16 + 8*64]byte // struct io_uring_probe
				return call1(unix.SYS_IO_URING_REGISTER, fd, 8, uintptr(unsafe.Pointer(&probe)), 64)
			}
		},
		"perf": simple(func() error {
			_, err := unix.PerfEventOpen(&unix.PerfEventAttr{
				Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: unix.PERF_ATTR_SIZE_VER0,
				Bits: unix.PerfBitExcludeKernel,
			}, 0, -1, -1, 0)
			return err
		}),
		"bpf": func(*victim) func() error {
			create := struct{ kind, key, value, entries uint32 }{2, 4, 4, 1} // BPF_MAP_TYPE_ARRAY
			return func() error {
				return call1(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&create)), unsafe.Sizeof(create))
			}
		},
		"userfaultfd": call(unix.SYS_USERFAULTFD, 0),
		"fanotify":    call(unix.SYS_FANOTIFY_INIT, 0, 0),
		"inotify":     call(unix.SYS_INOTIFY_INIT1, 0),
		"keyctl":      call(unix.SYS_KEYCTL, keyGetID, keySession, 1),
		"add-key": func(*victim) func() error {
			kind, name, data := []byte("user\x00"), []byte("k\x00"), []byte("d")
			return func() error {
				return call1(unix.SYS_ADD_KEY, uintptr(unsafe.Pointer(&kind[0])), uintptr(unsafe.Pointer(&name[0])),
					uintptr(unsafe.Pointer(&data[0])), 1, ^uintptr(1)) // KEY_SPEC_PROCESS_KEYRING
			}
		},
		"chroot": func(v *victim) func() error { return func() error { return unix.Chroot(v.dir) } },
		"mount": func(v *victim) func() error {
			point := v.own("point")
			v.must(unix.Mkdir(point, 0o755))
			return func() error { return unix.Mount("", point, "tmpfs", 0, "") }
		},
		"open-tree": func(v *victim) func() error {
			return func() error { _, err := unix.OpenTree(unix.AT_FDCWD, v.dir, 0); return err }
		},
		"hostname":       simple(func() error { return unix.Sethostname([]byte("taken")) }),
		"clock":          simple(func() error { _, err := unix.Adjtimex(new(unix.Timex)); return err }),
		"syslog":         call(unix.SYS_SYSLOG, 10),                                           // SYSLOG_ACTION_SIZE_BUFFER
		"seccomp":        call(unix.SYS_SECCOMP, 2, 0, uintptr(unsafe.Pointer(&errnoAction))), // SECCOMP_GET_ACTION_AVAIL
		"prctl-dumpable": call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1),
		"setuid":         call(unix.SYS_SETUID, 0),
		"capset": func(*victim) func() error {
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			return func() error {
				var data [2]unix.CapUserData
				return unix.Capset(&header, &data[0])
			}
		},
		"rlimit": func(*victim) func() error {
			return func() error {
				limit := unix.Rlimit{Cur: 0, Max: 0}
				return unix.Prlimit(0, unix.RLIMIT_CORE, &limit, nil)
			}
		},
		"interface-address": func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			return func() error {
				lo, err := unix.NewIfreq("lo")
				if err != nil {
					return err
				}
				return unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo)
			}
		},
	}
}

var errnoAction uint32 = unix.SECCOMP_RET_ERRNO

// ring is the descriptor of an io_uring.
func ring(v *victim) uintptr {
	var params [120]byte // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		v.must(errno)
	}
	return fd
}
