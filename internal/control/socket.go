package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// maxPath is the longest path of a unix socket (sun_path of unix(7), less the
// zero at its end).
const maxPath = 107

// claim makes the socket of dev, in the network namespace of the calling thread.
// The error is a *RunningError if an instance has it. The socket, at
// path, is to be removed after the listener is closed.
func claim(dev string) (l *net.UnixListener, path string, err error) {
	a, err := locate(dev)
	if err != nil {
		return nil, "", err
	}
	path = a.own()
	if len(path) > maxPath {
		return nil, "", fmt.Errorf("%w: set %s to a shorter one", &PathTooLongError{path}, RunDirVariable)
	}
	unlock, err := lockRunDir()
	if err != nil {
		return nil, "", notClaimed(err)
	}
	defer unlock()

	switch alive, pid, err := probe(a.path()); {
	case err != nil:
		return nil, "", notClaimed(err)
	case alive:
		return nil, "", &RunningError{Dev: dev, PID: pid}
	}
	removeStale()
	l, err = listen(path)
	if err != nil {
		return nil, "", notClaimed(err)
	}
	return l, path, nil
}

// notClaimed says what an error means for the socket, and what to do.
func notClaimed(err error) error {
	err = fmt.Errorf("making the control socket in %s: %w", RunDir(), err)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: run tcplab with sudo, or set %s to a directory of yours", err, RunDirVariable)
	}
	return err
}

// listen makes a socket at path, in userDir, that its owner alone may connect to.
// It is made in RunDir, under the lock, and moved: in their own directory users
// could have us change the owner of something else.
func listen(path string) (*net.UnixListener, error) {
	if err := makeUserDir(); err != nil {
		return nil, err
	}
	made := filepath.Join(RunDir(), filepath.Base(path))
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// The file takes its mode from the descriptor that is bound: nobody can
	// connect in between.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }), err)
	}}
	l, err := config.Listen(context.Background(), "unix", made)
	if err != nil {
		return nil, err
	}
	if user, ok := sandbox.Caller(); ok {
		err = os.Lchown(made, user.UID, user.GID)
	}
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	socket := l.(*net.UnixListener)
	socket.SetUnlinkOnClose(false) // it would not find it
	return socket, nil
}

// makeUserDir makes userDir if it is missing, and refuses one of another user.
func makeUserDir() error {
	dir, user := userDir(), sandbox.Target()
	switch err := os.Mkdir(dir, 0o755); {
	case err == nil:
		return errors.Join(os.Chmod(dir, 0o755), os.Lchown(dir, user.UID, user.GID)) // whatever the umask
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != user.UID {
		return fmt.Errorf("%s is no directory of user %d: remove it, or set %s to another directory", dir, user.UID, RunDirVariable)
	}
	return nil
}

// removeStale removes sockets that killed instances left, of any name, under
// the lock of lockRunDir.
func removeStale() {
	for _, a := range sockets() {
		if alive, _, _ := probe(a.path); !alive {
			_ = os.Remove(a.path) // another one's, perhaps; then it stays
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
