package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxPath is the longest path of a unix socket (sun_path of unix(7), less the
// zero at its end).
const maxPath = 107

// claim makes the socket of dev, in the network namespace of the calling thread.
// The error is a *RunningError if an instance has it. Closing the listener
// removes the socket.
func claim(dev string) (*net.UnixListener, error) {
	a, err := locate(dev)
	if err != nil {
		return nil, err
	}
	path := a.path()
	if len(path) > maxPath {
		return nil, fmt.Errorf("control socket %s: the path is longer than %d bytes: set %s to a shorter one", path, maxPath, RunDirVariable)
	}
	unlock, err := lockRunDir()
	if err != nil {
		return nil, notClaimed(err)
	}
	defer unlock()

	if alive, pid := probe(path); alive {
		return nil, &RunningError{Dev: dev, PID: pid}
	}
	removeStale()
	listener, err := listen(path)
	if err != nil {
		return nil, notClaimed(err)
	}
	return listener, nil
}

// notClaimed says what an error means for the socket, and what to do.
func notClaimed(err error) error {
	err = fmt.Errorf("making the control socket in %s: %w", RunDir(), err)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: run tcplab with sudo, or set %s to a directory of yours", err, RunDirVariable)
	}
	return err
}

// listen makes a socket at path that its owner alone may connect to.
func listen(path string) (*net.UnixListener, error) {
	// The file takes its mode from the descriptor that is bound: nobody can
	// connect in between.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if uid, gid, ok := sudoUser(); ok {
		if err := os.Lchown(path, uid, gid); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l.(*net.UnixListener), nil
}

// sudoUser is the user who called sudo.
func sudoUser() (uid, gid int, ok bool) {
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	return uid, gid, os.Geteuid() == 0 && err1 == nil && err2 == nil
}

// removeStale removes sockets that killed instances left, of any name, under
// the lock of lockRunDir.
func removeStale() {
	for _, a := range sockets() {
		if alive, _ := probe(a.path()); !alive {
			_ = os.Remove(a.path()) // another one's, perhaps; then it stays
		}
	}
}

// lockRunDir makes RunDir if it is missing and keeps other instances from
// claiming a socket in it, until unlock is called.
func lockRunDir() (unlock func(), err error) {
	dir := RunDir()
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "flock", Path: dir, Err: err}, d.Close())
	}
	return func() { _ = d.Close() }, nil // which gives up the lock
}

// makeDir makes dir if it is missing, and refuses one in which others can
// exchange files under our hands.
func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		return os.Chmod(dir, 0o755) // whatever the umask
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if mode := info.Mode(); mode.Perm()&0o022 != 0 && mode&os.ModeSticky == 0 {
		return fmt.Errorf("directory %s can be written to by other users (%v): take that away with chmod go-w %s, or set %s to another one", dir, mode, dir, RunDirVariable)
	}
	return nil
}
