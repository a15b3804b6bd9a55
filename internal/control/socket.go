package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// maxPath is the longest path of a unix socket (sun_path of unix(7), less the
// zero at its end): curl and socat find no longer one.
const maxPath = 107

// claimed is the name of an instance while it has it.
type claimed struct {
	listener *net.UnixListener
	dir      *folder // of the user, with the socket; the path to it may be closed to us later
	name     string  // of the instance
	file     string
	path     string
	inode    uint64 // of the socket's file
}

// claim makes the socket of dev, in the network namespace of the calling thread.
// The error is a *RunningError if an instance has it. notes hears of what claim
// waits for; it may be nil.
func claim(ctx context.Context, dev string, notes io.Writer) (*claimed, error) {
	a, err := locate(dev)
	if err != nil {
		return nil, err
	}
	if path := a.own(); len(path) > maxPath {
		return nil, fmt.Errorf("%w: set %s to a shorter one", &PathTooLongError{path}, RunDirVariable)
	}
	run, err := openRunDir(true)
	if err != nil {
		return nil, notClaimed(err)
	}
	defer run.close()
	user := sandbox.Target()
	unlock, err := lockRunDir(ctx, run, user, notes)
	if err != nil {
		return nil, notClaimed(err)
	}
	defer unlock()

	if err := free(run, a); err != nil {
		return nil, err
	}
	dir, err := makeUserDir(run, user)
	if err != nil {
		return nil, notClaimed(err)
	}
	c := &claimed{dir: dir, name: a.name(), file: a.file(), path: a.own()}
	if err := c.listen(user); err != nil {
		dir.close()
		return nil, notClaimed(err)
	}
	return c, nil
}

// notClaimed says what an error means for the socket, and what to do.
func notClaimed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	err = fmt.Errorf("making the control socket in %s: %w", RunDir(), err)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: run tcplab with sudo, or set %s to a directory of yours", err, RunDirVariable)
	}
	return err
}

// free says who has the name of an instance, if somebody has. A user who only
// listens at a socket of this name, without the interface, does not keep others
// from it.
func free(run *folder, a address) error {
	all := find(run, a)
	defer func() {
		for _, f := range all {
			f.close()
		}
	}()
	own := sandbox.Target().UID
	for _, f := range all {
		switch {
		case errors.Is(f.err, errDead):
		case f.conn == nil && isShortage(f.err):
			return notClaimed(f.err)
		case f.conn == nil && f.uid == own && own != nobody, f.conn != nil && f.standing() >= theirs:
			return &RunningError{Dev: a.dev, PID: int(f.peer.Pid)}
		case f.conn != nil && f.standing() == impostor:
		default:
			if _, err := net.InterfaceByName(a.dev); err == nil {
				return &RunningError{Dev: a.dev, PID: int(f.peer.Pid), UID: f.uid}
			}
		}
	}
	return nil
}

// isShortage reports whether an error says that this process could not find out.
func isShortage(err error) bool {
	return slices.ContainsFunc([]error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM}, func(e error) bool { return errors.Is(err, e) })
}

// listen makes the socket, which its owner alone may connect to, with the owner's
// rights: the owner can exchange what is in the directory at any time. It removes
// the sockets that killed instances left there first.
func (c *claimed) listen(user sandbox.User) error {
	stale := append(c.stale(), c.file)
	return sandbox.As(user, func() error {
		for _, name := range stale {
			_ = unix.Unlinkat(c.dir.fd(), name, 0) // it is a directory, perhaps: then bind says so
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		socket := os.NewFile(uintptr(fd), c.path)
		defer func() { _ = socket.Close() }() // FileListener has one of its own
		// The file takes its mode from the descriptor that is bound: nobody can
		// connect in between.
		err = unix.Fchmod(fd, 0o600)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: c.dir.at(c.file)})
		}
		if err == nil {
			err = unix.Listen(fd, unix.SOMAXCONN)
		}
		if err == nil {
			c.inode, err = inode(c.dir, c.file)
		}
		if err != nil {
			return &os.PathError{Op: "listen", Path: c.path, Err: err}
		}
		l, err := net.FileListener(socket)
		if err != nil {
			return err
		}
		c.listener = l.(*net.UnixListener)
		c.listener.SetUnlinkOnClose(false) // it would not find it
		return nil
	})
}

// stale are the sockets in the directory that killed instances left, of any name.
// The lock keeps them from being replaced meanwhile.
func (c *claimed) stale() []string {
	var stale []string
	for _, name := range names(c.dir) {
		if _, ok := parseAddress(name); !ok {
			continue
		}
		if f := connect(c.dir, name); f != nil {
			if errors.Is(f.err, errDead) {
				stale = append(stale, name)
			}
			f.close()
		}
	}
	return stale
}

// remove removes the socket, if it is still the one that listen made.
func (c *claimed) remove() error {
	number, err := inode(c.dir, c.file)
	if err == nil && number == c.inode {
		err = unix.Unlinkat(c.dir.fd(), c.file, 0)
	}
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("removing the control socket: %w", &os.PathError{Op: "unlink", Path: c.path, Err: err})
	}
	return err
}

func inode(dir *folder, name string) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st.Ino, err
}
