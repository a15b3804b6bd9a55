package sandbox

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestFilter runs the program for each kind of call.
func TestFilter(t *testing.T) {
	const pid = 4711
	own := processor{audit: unix.AUDIT_ARCH_X86_64, foreign: 1 << 30}
	program := assemble(own, allowed(pid), refuse)
	if raw, err := bpf.Assemble(program); err != nil || len(raw) > 4096 { // BPF_MAXINSNS
		t.Fatalf("%d instructions: %v", len(raw), err)
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	const high = 1 << 32 // a bit that the kernel does not look at in an int
	for _, c := range []struct {
		name   string
		audit  uint32
		number uint32
		args   [6]uint64
		want   uint32
	}{
		{"read", own.audit, unix.SYS_READ, [6]uint64{1 << 40, 2}, allow},
		{"read of i386", unix.AUDIT_ARCH_I386, unix.SYS_READ, [6]uint64{}, kill},
		{"read of arm64", unix.AUDIT_ARCH_AARCH64, unix.SYS_READ, [6]uint64{}, kill},
		{"read of x32", own.audit, unix.SYS_READ | 1<<30, [6]uint64{}, kill},
		{"the highest number", own.audit, 1<<32 - 1, [6]uint64{}, kill},
		{"a new number", own.audit, 9999, [6]uint64{}, refuse},
		{"socket", own.audit, unix.SYS_SOCKET, [6]uint64{}, refuse},
		{"clone3", own.audit, unix.SYS_CLONE3, [6]uint64{}, absent},
		{"a thread", own.audit, unix.SYS_CLONE, [6]uint64{threadFlags}, allow},
		{"a thread of the C library", own.audit, unix.SYS_CLONE, [6]uint64{threadFlags | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID}, allow},
		{"a process", own.audit, unix.SYS_CLONE, [6]uint64{uint64(unix.SIGCHLD)}, refuse},
		{"vfork", own.audit, unix.SYS_CLONE, [6]uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, refuse},
		{"a thread in a namespace", own.audit, unix.SYS_CLONE, [6]uint64{threadFlags | unix.CLONE_NEWUSER}, refuse},
		{"a thread that is traced", own.audit, unix.SYS_CLONE, [6]uint64{threadFlags | unix.CLONE_PTRACE}, refuse},
		{"mmap", own.audit, unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE}, allow},
		{"mmap, executable", own.audit, unix.SYS_MMAP, [6]uint64{0, 4096, unix.PROT_READ | unix.PROT_EXEC | high}, refuse},
		{"mprotect, executable", own.audit, unix.SYS_MPROTECT, [6]uint64{0, 4096, unix.PROT_EXEC}, refuse},
		{"tgkill", own.audit, unix.SYS_TGKILL, [6]uint64{pid, 1, 23}, allow},
		{"tgkill, with rubbish above", own.audit, unix.SYS_TGKILL, [6]uint64{pid | high, 1, 23}, allow},
		{"tgkill of another", own.audit, unix.SYS_TGKILL, [6]uint64{pid + 1, 1, 23}, refuse},
		{"kill of all", own.audit, unix.SYS_KILL, [6]uint64{1<<64 - 1, 9}, refuse},
		{"kill of the group", own.audit, unix.SYS_KILL, [6]uint64{0, 9}, refuse},
		{"setsockopt TCP_NODELAY", own.audit, unix.SYS_SETSOCKOPT, [6]uint64{5, unix.IPPROTO_TCP, unix.TCP_NODELAY}, allow},
		{"the same number at another level", own.audit, unix.SYS_SETSOCKOPT, [6]uint64{5, unix.IPPROTO_UDP, unix.TCP_NODELAY}, refuse},
		{"setsockopt TCP_ULP", own.audit, unix.SYS_SETSOCKOPT, [6]uint64{5, unix.IPPROTO_TCP, unix.TCP_ULP}, refuse},
		{"own limits", own.audit, unix.SYS_PRLIMIT64, [6]uint64{0, 7, 0, 1 << 40}, allow},
		{"limits, by a pointer with an empty lower half", own.audit, unix.SYS_PRLIMIT64, [6]uint64{0, 7, high, 0}, refuse},
		{"fcntl F_SETOWN", own.audit, unix.SYS_FCNTL, [6]uint64{0, unix.F_SETOWN, 1}, refuse},
		{"ioctl TUNGETIFF", own.audit, unix.SYS_IOCTL, [6]uint64{3, unix.TUNGETIFF}, allow},
		{"ioctl TUNSETIFF", own.audit, unix.SYS_IOCTL, [6]uint64{3, unix.TUNSETIFF}, refuse},
		{"prctl PR_SET_DUMPABLE", own.audit, unix.SYS_PRCTL, [6]uint64{unix.PR_SET_DUMPABLE, 1}, refuse},
	} {
		data := make([]byte, offArgs+6*8)
		// The machine of x/net/bpf reads big-endian words; the halves of an argument
		// stay as on a little-endian processor.
		binary.BigEndian.PutUint32(data[offNumber:], c.number)
		binary.BigEndian.PutUint32(data[offArch:], c.audit)
		for i, arg := range c.args {
			binary.BigEndian.PutUint32(data[offArgs+8*i:], uint32(arg))
			binary.BigEndian.PutUint32(data[offArgs+8*i+4:], uint32(arg>>32))
		}
		got, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		if uint32(got) != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, uint32(got), c.want)
		}
	}
}

// TestListedOnce wants each call in one place, where all its conditions stand.
func TestListedOnce(t *testing.T) {
	seen := map[uint32]bool{}
	for _, c := range allowed(1) {
		if seen[c.number] {
			t.Errorf("call %d is listed twice", c.number)
		}
		seen[c.number] = true
	}
}
