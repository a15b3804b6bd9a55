package tun

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// noSockets has this program be one that is confined as up is: it may make no
// socket and send to no address.
const noSockets = "TCPLAB_TEST_TUN_NO_SOCKETS"

// childWithoutSockets makes an interface, gives up its rights and uses the interface
// to its end.
func childWithoutSockets() error {
	d, err := Create(Config{Name: "lab0", Host: subnet})
	if err != nil {
		return err
	}
	if _, err := sandbox.Enter(); err != nil {
		return err
	}
	if fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE); err == nil {
		return fmt.Errorf("it is not confined: socket %d", fd)
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
