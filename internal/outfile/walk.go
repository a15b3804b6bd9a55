package outfile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// LinkError says that a path leads over a symbolic link that is not followed.
type LinkError struct {
	Path string // as it was given
	Name string // of the link
	UID  int    // whose it is
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("%s: %q is a symbolic link of user %d in a directory that others can write to, it is not followed: give the path that it leads to", e.Path, e.Name, e.UID)
}

// place is what a path leads to: a name in a directory, a directory (then name is
// empty), or an object that has no name, such as a pipe in /proc.
type place struct {
	dir    *os.File // O_PATH
	name   string   // in dir; need not exist
	object *os.File // O_PATH, instead of both
}

func (p *place) close() error {
	if p.object != nil {
		return p.object.Close()
	}
	return p.dir.Close()
}

// maxSteps is how many links and new directories a path may have; the kernel
// follows 40 links (path_resolution(7)).
const maxSteps = 40

// walk is the way along a path, a component at a time.
type walk struct {
	path  string   // as it was given
	uid   int      // whose files these are
	make  uint32   // mode of the directories that are made where they are missing; 0 makes none
	dir   *os.File // O_PATH; where the walk is
	rest  []string // components that are left
	steps int
}

// locate goes along path with the rights that the calling thread has. uid is the
// user whom the links have to suit. With perm, path names a directory, and what is
// missing of it is made.
func locate(path string, uid int, perm os.FileMode) (*place, error) {
	w := &walk{path: path, uid: uid, make: uint32(perm.Perm())}
	p, err := w.run()
	if p != nil && p.dir == w.dir {
		return p, err
	}
	if w.dir != nil {
		_ = w.dir.Close()
	}
	if err != nil && !errors.As(err, new(*LinkError)) && !errors.As(err, new(*os.PathError)) {
		err = &os.PathError{Op: "open", Path: path, Err: err}
	}
	return p, err
}

func (w *walk) run() (*place, error) {
	if w.path == "" {
		return nil, unix.ENOENT
	}
	if err := w.goOn(w.path, "."); err != nil {
		return nil, err
	}
	for len(w.rest) > 0 {
		name := w.rest[0]
		w.rest = w.rest[1:]
		if p, err := w.step(name, len(w.rest) == 0); p != nil || err != nil {
			return p, err
		}
	}
	return &place{dir: w.dir}, nil
}

// step goes to a component. It returns a place where the walk ends there.
func (w *walk) step(name string, last bool) (*place, error) {
	file, err := openPath(w.dir, name, unix.O_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT) && w.make != 0:
		if err := w.more(); err != nil {
			return nil, err
		}
		if err := unix.Mkdirat(fd(w.dir), name, w.make); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, &os.PathError{Op: "mkdir", Path: w.path, Err: err}
		}
		w.rest = append([]string{name}, w.rest...)
		return nil, nil
	case errors.Is(err, unix.ENOENT) && last:
		return &place{dir: w.dir, name: name}, nil
	case err != nil:
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd(file), &st); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR:
		w.enter(file)
		return nil, nil
	case kind == unix.S_IFLNK:
		defer func() { _ = file.Close() }()
		return w.follow(name, file, &st, last)
	case last && w.make == 0:
		return &place{dir: w.dir, name: name}, file.Close()
	}
	return nil, errors.Join(unix.ENOTDIR, file.Close())
}

// follow goes where a link leads.
func (w *walk) follow(name string, link *os.File, st *unix.Stat_t, last bool) (*place, error) {
	if err := w.more(); err != nil {
		return nil, err
	}
	isShared, err := shared(w.dir, w.uid)
	if err != nil {
		return nil, err
	}
	if isShared && (w.uid == 0 || int(st.Uid) != w.uid) {
		return nil, &LinkError{Path: w.path, Name: name, UID: int(st.Uid)}
	}
	var system unix.Statfs_t
	if err := unix.Fstatfs(fd(w.dir), &system); err != nil {
		return nil, err
	}
	if system.Type == unix.PROC_SUPER_MAGIC { // the kernel alone knows where these lead (proc_pid_fd(5))
		return w.followMagic(name, last)
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd(link), "", target)
	if err != nil {
		return nil, err
	}
	return nil, w.goOn(string(target[:n]), "")
}

func (w *walk) followMagic(name string, last bool) (*place, error) {
	object, err := openPath(w.dir, name, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd(object), &st)
	switch isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR; {
	case err == nil && isDir:
		w.enter(object)
		return nil, nil
	case err == nil && last:
		return &place{object: object}, nil
	case err == nil:
		err = unix.ENOTDIR
	}
	return nil, errors.Join(err, object.Close())
}

// goOn has the walk go along path before what is left. A relative path begins at
// start, which is empty for where the walk is.
func (w *walk) goOn(path, start string) error {
	var ahead []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			ahead = append(ahead, name)
		}
	}
	w.rest = append(ahead, w.rest...)
	if strings.HasPrefix(path, "/") {
		start = "/"
	}
	if start == "" {
		return nil
	}
	dir, err := openPath(nil, start, 0)
	if err != nil {
		return err
	}
	w.enter(dir)
	return nil
}

func (w *walk) enter(dir *os.File) {
	if w.dir != nil {
		_ = w.dir.Close()
	}
	w.dir = dir
}

// more counts what a path may not have without end.
func (w *walk) more() error {
	if w.steps++; w.steps > maxSteps {
		return unix.ELOOP
	}
	return nil
}

// openPath opens a name in dir, or in the working directory, as a place only.
func openPath(dir *os.File, name string, flags int) (*os.File, error) {
	at := unix.AT_FDCWD
	if dir != nil {
		at = fd(dir)
	}
	opened, err := retry(func() (int, error) { return unix.Openat(at, name, unix.O_PATH|unix.O_CLOEXEC|flags, 0) })
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(opened), name), nil
}

// shared reports whether others than root and the user can put names into dir.
func shared(dir *os.File, uid int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd(dir), &st); err != nil {
		return false, err
	}
	return !trusted(int(st.Uid), uid) || st.Mode&0o022 != 0, nil
}

// overflowUID is who owns the files of users that a user namespace does not have
// (user_namespaces(7)).
const overflowUID = 65534

// trusted reports whether a file's owner can do the user no harm: the user, and
// root. In a user namespace the root outside of it cannot be told from others, so
// these are trusted with the files of anybody but that root.
func trusted(owner, uid int) bool {
	return owner == 0 || owner == uid || owner == overflowUID && !sandbox.HasUser(overflowUID) && !sandbox.IsRoot(uid)
}

// fd is a file's descriptor. Other than File.Fd it changes nothing about it.
func fd(f *os.File) int {
	number := -1
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number
}

// retry calls a system call again that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
