package sandbox

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox/int80"
)

// foreignAttacks make calls in the other ABIs of an x86-64 kernel.
func foreignAttacks() map[string]attack {
	x32 := func(number uintptr, args ...uintptr) attack {
		return func(*victim) func() error { return func() error { return call1(number|1<<30, args...) } }
	}
	i386 := func(number uint32, args ...uint32) attack {
		return func(*victim) func() error {
			return func() error { _, err := int80.Call(number, args...); return err }
		}
	}
	return map[string]attack{
		"int80-getpid":  i386(20),
		"int80-unshare": i386(310, unix.CLONE_NEWNET),
		"int80-socket":  i386(359, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"int80-kill":    i386(37, uint32(os.Getppid()), 0),
		"int80-ptrace": func(v *victim) func() error {
			pid := v.neighbour()
			return func() error { _, err := int80.Call(26, unix.PTRACE_SEIZE, uint32(pid)); return err }
		},
		"int80-listen": func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			return func() error { _, err := int80.Call(363, uint32(fd), 1); return err }
		},
		"int80-mptcp-connect": func(v *victim) func() error {
			addr := v.listener(unix.IPPROTO_MPTCP)
			fd, low := v.socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), lowMemory(v)
			*(*unix.RawSockaddrInet4)(unsafe.Pointer(&low[0])) = *inet4(addr)
			return func() error {
				_, err := int80.Call(362, uint32(fd), pointer(low), unix.SizeofSockaddrInet4)
				return err
			}
		},
		"int80-sendto-fastopen": func(v *victim) func() error { // by socketcall: sendto takes six arguments
			addr := v.listener(0)
			fd, low := v.socket(unix.AF_INET, unix.SOCK_STREAM, 0), lowMemory(v)
			*(*unix.RawSockaddrInet4)(unsafe.Pointer(&low[0])) = *inet4(addr)
			*(*[6]uint32)(unsafe.Pointer(&low[64])) = [6]uint32{uint32(fd), pointer(low), 4, unix.MSG_FASTOPEN, pointer(low), unix.SizeofSockaddrInet4}
			return func() error { _, err := int80.Call(102, 11, pointer(low)+64); return err }
		},
		"int80-io-uring": func(v *victim) func() error {
			low := lowMemory(v)
			return func() error { _, err := int80.Call(425, 4, pointer(low)); return err }
		},
		"int80-perf": func(v *victim) func() error {
			low := lowMemory(v)
			*(*unix.PerfEventAttr)(unsafe.Pointer(&low[0])) = unix.PerfEventAttr{
				Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Size: unix.PERF_ATTR_SIZE_VER0,
				Bits: unix.PerfBitExcludeKernel,
			}
			return func() error { _, err := int80.Call(336, pointer(low), 0, ^uint32(0), ^uint32(0), 0); return err }
		},
		"int80-open": func(v *victim) func() error {
			low := lowMemory(v)
			copy(low, v.file()+"\x00")
			return func() error { _, err := int80.Call(5, pointer(low), unix.O_RDONLY); return err }
		},

		// A kernel without x32 has none of these numbers; the filter is in front.
		"x32-getpid":   x32(unix.SYS_GETPID),
		"x32-unshare":  x32(unix.SYS_UNSHARE, unix.CLONE_NEWNET),
		"x32-socket":   x32(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM),
		"x32-io-uring": x32(unix.SYS_IO_URING_SETUP, 4),
		"x32-ptrace":   x32(521, unix.PTRACE_SEIZE),
		"x32-execve":   x32(520),
		"x32-sendto":   x32(unix.SYS_SENDTO),
		"x32-negative": x32(1 << 31),
		"legacy-open":  legacyOpen(unix.SYS_OPEN),
		"legacy-creat": legacyOpen(unix.SYS_CREAT),
		"legacy-fork":  func(*victim) func() error { return func() error { return forks(unix.SYS_FORK) } },
		"arch-prctl": func(*victim) func() error {
			return func() error { return call1(unix.SYS_ARCH_PRCTL, 0x1003, uintptr(unsafe.Pointer(new(uint64)))) }
		}, // ARCH_GET_FS
	}
}

// legacyOpen opens a file by a number that Go does not use.
func legacyOpen(number uintptr) attack {
	return func(v *victim) func() error {
		path := append([]byte(v.file()), 0)
		return func() error { return call1(number, uintptr(unsafe.Pointer(&path[0])), 0, 0) }
	}
}

// lowMemory is memory that a 32-bit call can reach.
func lowMemory(v *victim) []byte {
	memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT)
	v.must(err)
	return memory
}

func pointer(low []byte) uint32 { return uint32(uintptr(unsafe.Pointer(&low[0]))) }
