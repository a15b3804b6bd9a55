package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// userDir is the path of the directory in RunDir for the instances of this process'
// user.
func userDir() string { return filepath.Join(RunDir(), strconv.Itoa(sandbox.Target().UID)) }

// openUserDir opens a user's directory in RunDir. It refuses one that is not the
// user's, and what the user has mounted there: a file system of the user's own
// making could keep us waiting for ever.
func openUserDir(run *folder, uid int) (*folder, error) {
	name := strconv.Itoa(uid)
	path := join(run, name)
	how := &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV | unix.RESOLVE_BENEATH,
	}
	fd, err := unix.Openat2(run.fd(), name, how)
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // Linux before 5.6, or a filter that does not know the call
		return openUserDirBefore(run, uid)
	case errors.Is(err, unix.EXDEV):
		return nil, &UnsafeError{path, "is a mount: unmount it"}
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return nil, notUserDir(path, uid)
	case err != nil:
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	dir, err := newFolder(fd, path)
	if err != nil {
		return nil, err
	}
	return dir, checkUserDir(dir, uid)
}

// openUserDirBefore is openUserDir without openat2(2).
func openUserDirBefore(run *folder, uid int) (*folder, error) {
	dir, err := openFolder(run, strconv.Itoa(uid))
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return nil, notUserDir(join(run, strconv.Itoa(uid)), uid)
	case err != nil:
		return nil, err
	}
	return dir, checkUserDir(dir, uid)
}

// checkUserDir closes a directory that it refuses.
func checkUserDir(dir *folder, uid int) error {
	if dir.uid == uid {
		return nil
	}
	dir.close()
	return notUserDir(dir.path, uid)
}

func notUserDir(path string, uid int) error {
	return &UnsafeError{path, fmt.Sprintf("is no directory of user %d: remove it", uid)}
}

// makeUserDir opens the directory of a user, and makes it if it is missing.
func makeUserDir(run *folder, user sandbox.User) (*folder, error) {
	dir, err := openUserDir(run, user.UID)
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	name := strconv.Itoa(user.UID)
	if user.UID == os.Geteuid() || run.owner() == user {
		err = run.mkdir(name, user)
	} else {
		err = giveDir(run, name, user)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return openUserDir(run, user.UID)
}

// giveDir makes a directory for another user, as root in a directory in which
// nobody else can exchange what is root's. It gets its name last: one that has the
// name is the user's.
func giveDir(run *folder, name string, user sandbox.User) error {
	temporary := "." + name + "-" + rand.Text()
	if err := run.mkdir(temporary, run.owner()); err != nil {
		return err
	}
	made, err := openFolder(run, temporary)
	if err == nil {
		defer made.close()
		if made.uid != os.Geteuid() {
			return &UnsafeError{made.path, "was exchanged by somebody"}
		}
		err = made.file.Chown(user.UID, user.GID)
	}
	if err == nil {
		err = rename(run, temporary, name)
	}
	if err != nil {
		_ = unix.Unlinkat(run.fd(), temporary, unix.AT_REMOVEDIR)
	}
	return err
}

// rename gives a directory a name that is free.
func rename(run *folder, from, to string) error {
	err := unix.Renameat2(run.fd(), from, run.fd(), to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not on every file system
		err = unix.Renameat(run.fd(), from, run.fd(), to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: join(run, from), New: join(run, to), Err: err}
	}
	return nil
}

// users are the numbers of all users who have a directory in RunDir.
func users(run *folder) []int {
	var uids []int
	for _, name := range names(run) {
		if uid, err := strconv.ParseUint(name, 10, 32); err == nil && strconv.FormatUint(uid, 10) == name {
			uids = append(uids, int(uid))
		}
	}
	slices.Sort(uids)
	return uids
}

// names are what is in a folder; nothing if it cannot be read.
func names(f *folder) []string {
	fd, err := openat(f, ".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	dir := os.NewFile(uintptr(fd), f.path)
	defer func() { _ = dir.Close() }()
	found, _ := dir.Readdirnames(-1)
	return found
}
