package sandbox

import (
	"fmt"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
)

// forbidden are the system calls that a process which serves packets never makes,
// and that one which was taken over would want: other programs, other processes,
// namespaces and mounts, the kernel's larger interfaces. All its sockets listen
// already.
var forbidden = []string{
	"execve", "execveat",
	"connect", "listen", // landlock does not know of MPTCP, which Go listens with
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"unshare", "setns", "chroot", "pivot_root",
	"mount", "umount2", "move_mount", "mount_setattr", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"add_key", "request_key", "keyctl",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
	"swapon", "swapoff", "acct", "quotactl", "syslog", "fanotify_init",
	"open_by_handle_at", "name_to_handle_at",
	"settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname",
	"ioperm", "iopl", "modify_ldt", "personality",
}

// confineCalls has the forbidden system calls fail with EPERM, in all threads
// (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC). note says that the kernel cannot.
func confineCalls() (note string, err error) {
	calls := systemCalls()
	if calls == nil || !seccomp.Supported() {
		return "this kernel has no seccomp filters: the process can make every system call that its user may", nil
	}
	var names []string
	for _, name := range forbidden {
		if _, there := calls[name]; there { // not on every processor
			names = append(names, name)
		}
	}
	filter := seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionAllow,
			Syscalls:      []seccomp.SyscallGroup{{Names: names, Action: seccomp.ActionErrno}},
		},
	}
	if err := seccomp.LoadFilter(filter); err != nil {
		return "", fmt.Errorf("seccomp: %w", err)
	}
	return "", nil
}

// systemCalls are the numbers of this processor's system calls, by name; nil where
// they are not known.
func systemCalls() map[string]int {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil
	}
	return info.SyscallNames
}
