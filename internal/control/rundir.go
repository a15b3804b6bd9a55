package control

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// RunDirVariable is the environment variable that overrides where the sockets
// of running instances are.
const RunDirVariable = "TCPLAB_RUN_DIR"

// RunDir is the directory with the sockets of running instances. Each user has a
// directory of its own in it, named by its number, from which an instance can
// remove its socket when it is no longer root.
func RunDir() string { return cmp.Or(os.Getenv(RunDirVariable), "/run/tcplab") }

// UnsafeError says that RunDir, or a step on the way to it, is in the hands of
// somebody else.
type UnsafeError struct {
	Path string // of the step
	Why  string // what is wrong with it, and what to do
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf("%s %s, or set %s to a directory of yours", e.Path, e.Why, RunDirVariable)
}

// maxLinks is how many links a path may have (path_resolution(7)).
const maxLinks = 40

// walk is the way to RunDir, a step at a time. Each step is checked through the
// descriptor that the next one starts from. Where the user who called sudo can choose
// the next one, root goes on with that user's rights.
type walk struct {
	user  sandbox.User // whose rights the walk has
	dir   *folder      // where the walk is
	rest  []string     // what is left
	links int          // followed so far
	led   bool         // by a link of the user who called sudo
	make  bool         // make what is missing
}

// openRunDir opens RunDir. With makeDirs it makes what is missing of it; without,
// the error is fs.ErrNotExist then. It refuses with an *UnsafeError where somebody
// who is neither root, nor this process's user, nor who called sudo could choose
// where the way leads.
func openRunDir(makeDirs bool) (*folder, error) {
	path, err := filepath.Abs(RunDir())
	if err != nil {
		return nil, err
	}
	w := &walk{make: makeDirs, user: sandbox.User{UID: os.Geteuid(), GID: os.Getegid()}}
	if err := w.begin(path); err != nil {
		return nil, err
	}
	for len(w.rest) > 0 {
		name := w.rest[0]
		w.rest = w.rest[1:]
		if err := sandbox.As(w.user, func() error { return w.step(name) }); err != nil {
			w.dir.close()
			return nil, err
		}
		w.yield(w.dir.uid)
	}
	if err := w.check(); err != nil {
		w.dir.close()
		return nil, err
	}
	return w.dir, nil
}

// begin has the walk go along path before what is left of it.
func (w *walk) begin(path string) error {
	var ahead []string
	for name := range strings.SplitSeq(path, "/") {
		if name != "" && name != "." {
			ahead = append(ahead, name)
		}
	}
	w.rest = append(ahead, w.rest...)
	if !strings.HasPrefix(path, "/") {
		return nil
	}
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/", Err: err}
	}
	root, err := newFolder(fd, "/")
	if err == nil {
		w.enter(root)
	}
	return err
}

func (w *walk) enter(f *folder) {
	if w.dir != nil {
		w.dir.close()
	}
	w.dir = f
}

// yield has the walk go on with the rights of the user who called sudo, if a step is
// that user's.
func (w *walk) yield(uid int) {
	if caller, ok := sandbox.Caller(); ok && uid == caller.UID {
		w.user = caller
	}
}

// step goes to the next component.
func (w *walk) step(name string) error {
	if err := checkParent(w.dir); err != nil {
		return err
	}
	path := join(w.dir, name)
	fd, err := openat(w.dir, name, unix.O_PATH|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) && w.make {
		if err := w.dir.mkdir(name, w.user); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		fd, err = openat(w.dir, name, unix.O_PATH|unix.O_NOFOLLOW)
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	next, err := newFolder(fd, path)
	if err != nil {
		return err
	}
	switch next.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		w.enter(next)
		return nil
	case unix.S_IFLNK:
		defer next.close()
		return w.follow(next)
	}
	next.close()
	return &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
}

// follow goes where a link leads.
func (w *walk) follow(link *folder) error {
	if !trusted(link.uid) {
		return &UnsafeError{link.path, fmt.Sprintf("is a link of user %d: remove it", link.uid)}
	}
	w.yield(link.uid)
	w.led = w.led || link.uid == w.user.UID && link.uid != os.Geteuid()
	if w.links++; w.links > maxLinks {
		return &os.PathError{Op: "open", Path: link.path, Err: unix.ELOOP}
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(link.fd(), "", target)
	if err != nil {
		return &os.PathError{Op: "readlink", Path: link.path, Err: err}
	}
	return w.begin(string(target[:n]))
}

// checkParent refuses a directory on the way in which others can exchange the next
// step.
func checkParent(f *folder) error {
	switch {
	case !trusted(f.uid):
		return &UnsafeError{f.path, fmt.Sprintf("belongs to user %d", f.uid) + ", who can exchange what is in it: give a path that leads past it"}
	case f.isShared() && !f.isSticky() && !sharedWithOwnGroup(f):
		return &UnsafeError{f.path, fmt.Sprintf("can be written to by other users (%v): take that away with chmod go-w %s", fs.ModeDir|fs.FileMode(f.mode&0o777), f.path)}
	}
	return nil
}

// check refuses a RunDir in which others can exchange files under our hands.
func (w *walk) check() error {
	f := w.dir
	switch {
	case w.led && f.uid != w.user.UID:
		return &UnsafeError{f.path, fmt.Sprintf("belongs to user %d, and a link of user %d leads there: give the path itself", f.uid, w.user.UID)}
	case !trusted(f.uid):
		return &UnsafeError{f.path, fmt.Sprintf("belongs to user %d: remove it", f.uid)}
	case f.isShared() && !f.isSticky():
		return &UnsafeError{f.path, fmt.Sprintf("can be written to by other users (%v): take that away with chmod go-w %s", fs.ModeDir|fs.FileMode(f.mode&0o777), f.path)}
	}
	return nil
}

// sharedWithOwnGroup reports whether only the group of a user who is not root may
// write to a folder: that group has no other members where the umask is 002. They
// could keep the user from working there, and lead nobody astray: what belongs to
// them is refused.
func sharedWithOwnGroup(f *folder) bool {
	if os.Geteuid() == 0 || f.mode&0o002 != 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(f.fd(), &st) == nil && int(st.Gid) == os.Getegid()
}

// overflowUID is whose the files of users are that a user namespace does not have
// (user_namespaces(7)).
const overflowUID = 65534

// trusted reports whether a user may decide where control sockets are: root, also
// the one outside of this user namespace, this process's user, and who called sudo.
func trusted(uid int) bool {
	if caller, ok := sandbox.Caller(); ok && uid == caller.UID {
		return true
	}
	return uid == 0 || uid == os.Geteuid() || uid == overflowUID && !sandbox.HasUser(uid)
}
