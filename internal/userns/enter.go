package userns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"tcplab/internal/again"
	"tcplab/internal/control"
)

// part is what the process inside plays.
const part = "exec"

// capabilities are what CMD gets, over its namespaces alone: what up, curl and
// tcpdump need, and CAP_SYS_ADMIN for more namespaces, such as those of labs.
var capabilities = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN}

// Enter starts this program again, with the same arguments, in namespaces of its
// own, and waits until that ends. If it fails there, the error is an
// *exec.ExitError, and it has said why. The other errors say what the system
// forbids, and how to allow it.
func Enter() error {
	if err := checkTUN(tunPath); err != nil {
		return err
	}
	room, err := newFolder()
	if err != nil {
		return err
	}
	defer func() { _ = room.remove() }() // it was there for what has ended, which may have removed it
	files, err := room.files()
	if err != nil {
		return fmt.Errorf("opening the folder %s: %w", room.path, err)
	}
	defer func() { _, _ = files[0].Close(), files[1].Close() }()
	cmd := again.Command()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = attributes(mayUnshare())

	// The signal at the parent's death is that of the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	forward := newForwarder()
	defer forward.stop()
	socket, err := again.Start(cmd, cmd.Start, part, room.path, files...)
	if err != nil {
		return system{}.explain(fmt.Errorf("making a namespace: %w", err))
	}
	defer socket.Close()
	forward.to(cmd.Process)
	return cmd.Wait()
}

// attributes are those of the process inside.
func attributes(mayUnshare bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGTERM} // nohup(1) ignores SIGHUP
	if mayUnshare {
		return attr
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	attr.AmbientCaps = capabilities
	return attr
}

// mayUnshare reports whether the process needs no user namespace for a network
// namespace of its own.
func mayUnshare() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	const need = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&need == need
}

// Inside returns the room if this process was started by Enter; nil if it was
// not. Programs that it starts are not told that they are inside.
func Inside() (*Room, error) {
	origin, err := again.As(part)
	if origin == nil {
		return nil, err
	}
	folder, err := receiveFolder(origin.Files, origin.Text)
	if err != nil {
		return nil, err
	}
	return &Room{folder: folder, parent: origin.Parent}, folder.use()
}

// Room is the process inside.
type Room struct {
	folder *folder
	parent int
}

// Prepare brings loopback up. The error says what the system forbids.
func (r *Room) Prepare() error {
	if err := bringLoopbackUp(); err != nil {
		return r.Explain(fmt.Errorf("bringing lo up: %w", err))
	}
	return nil
}

// Explain says of an error inside what the system forbids, if that is the cause,
// and what to do about it here.
func (r *Room) Explain(err error) error {
	if tooLong, ok := errors.AsType[*control.PathTooLongError](err); ok {
		return fmt.Errorf("%w; the folder is made in %s: set TMPDIR to a shorter one, such as /tmp", tooLong, filepath.Dir(r.folder.path))
	}
	return system{}.explain(err)
}

// Close removes the folder of the control socket, for a parent that is gone.
func (r *Room) Close() error { return r.folder.remove() }

// orphaned reports whether the process that waits for us is gone.
func (r *Room) orphaned() bool { return os.Getppid() != r.parent }

// startCode is the exit code for a program that cannot be started, as env(1) has
// it.
func startCode(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return 127
	}
	return 126
}
