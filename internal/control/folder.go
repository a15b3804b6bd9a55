package control

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// folder is an open directory. Everything in it is reached through the descriptor,
// so that nobody can exchange the directory under our hands.
type folder struct {
	file *os.File
	path string // for messages
	uid  int    // whose it is
	mode uint32 // st_mode of stat(2)
}

// openFolder opens a directory in parent. It never follows a link, and the error is
// unix.ENOTDIR for anything but a directory.
func openFolder(parent *folder, name string) (*folder, error) {
	path := join(parent, name)
	fd, err := openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return newFolder(fd, path)
}

// newFolder is the folder of a descriptor, which it closes when it fails.
func newFolder(fd int, path string) (*folder, error) {
	f := &folder{file: os.NewFile(uintptr(fd), path), path: path}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, errors.Join(&os.PathError{Op: "stat", Path: path, Err: err}, f.file.Close())
	}
	f.uid, f.mode = int(st.Uid), st.Mode
	return f, nil
}

func join(parent *folder, name string) string {
	if parent.path == "/" {
		return "/" + name
	}
	return parent.path + "/" + name
}

// openat opens a name in a folder.
func openat(f *folder, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(f.fd(), name, flags|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// fd is the descriptor. Unlike (*os.File).Fd it leaves the file's mode alone.
func (f *folder) fd() int {
	number := -1
	if raw, err := f.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}

// at is a name in the folder as a path that leads through the descriptor, for system
// calls that take no descriptor.
func (f *folder) at(name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", f.fd(), name) }

// isShared reports whether users other than the owner can put names into the folder.
func (f *folder) isShared() bool { return f.mode&0o022 != 0 }

// isSticky reports whether they cannot take away or exchange what they do not own
// (the restricted deletion flag of inode(7)).
func (f *folder) isSticky() bool { return f.mode&unix.S_ISVTX != 0 }

// owner is the user with whose rights this process works in the folder: in one of
// the user who called sudo, that user's. There the user can exchange everything at
// any time, and root would be led astray.
func (f *folder) owner() sandbox.User {
	own := sandbox.User{UID: os.Geteuid(), GID: os.Getegid()}
	if user, ok := sandbox.Caller(); ok && f.uid == user.UID {
		return user
	}
	return own
}

// mkdir makes a directory with mode 0755, whatever the umask, with the rights of a
// user who is the folder's owner, or as whom nobody else can exchange it.
func (f *folder) mkdir(name string, user sandbox.User) error {
	return sandbox.As(user, func() error {
		if err := unix.Mkdirat(f.fd(), name, 0o755); err != nil {
			return &os.PathError{Op: "mkdir", Path: join(f, name), Err: err}
		}
		made, err := openFolder(f, name)
		if err != nil {
			return err
		}
		defer made.close()
		if made.uid != user.UID {
			return fmt.Errorf("mkdir %s: somebody has exchanged the directory", made.path)
		}
		if made.mode&0o777 == 0o755 {
			return nil
		}
		return made.file.Chmod(0o755)
	})
}

func (f *folder) close() { _ = f.file.Close() }
