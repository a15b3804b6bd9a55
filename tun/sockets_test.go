package tun

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// noSockets has this program be one that may make no socket and send to no
// address.
const noSockets = "TCPLAB_TEST_TUN_NO_SOCKETS"

// childWithoutSockets makes an interface, gives up sockets and uses the interface
// to its end.
func childWithoutSockets() error {
	d, err := Create(Config{Name: "lab0", Host: subnet})
	if err != nil {
		return err
	}
	filter := seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionAllow,
			Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: []string{
				"socket", "socketpair", "connect", "bind", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "setsockopt",
			}}},
		},
	}
	if err := seccomp.LoadFilter(filter); err != nil {
		return err
	}
	if fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE); err == nil {
		return fmt.Errorf("the filter does not hold: socket %d", fd)
	}
	for range 3 {
		if _, err := d.State(); err != nil {
			return err
		}
		if _, err := d.Stats(); err != nil {
			return err
		}
	}
	if err := d.Close(); err != nil {
		return err
	}
	if _, err := d.State(); !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("after Close: %w", err)
	}
	return nil
}

// Once made, a device is looked at and removed without a new socket.
func TestNoSocketsAfterCreate(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), noSockets+"=1")
	if out, err := namespace(t).Output(child); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
