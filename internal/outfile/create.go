package outfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// flags are how a file is opened. O_NONBLOCK: a FIFO that nobody reads is an
// error, not a place to wait.
const flags = unix.O_WRONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC

// create makes the file at p, in the place of one that is there, with the rights
// that the calling thread has. uid is whose file it is.
func (p *place) create(path string, uid int) (*os.File, error) {
	if p.object != nil {
		return reopen(path, fd(p.object))
	}
	for range maxSteps {
		opened, err := retry(func() (int, error) { return unix.Openat(fd(p.dir), p.name, flags|unix.O_CREAT|unix.O_EXCL, 0o644) })
		if err == nil {
			return os.NewFile(uintptr(opened), path), nil
		}
		if !errors.Is(err, unix.EEXIST) {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		file, err := p.existing(path, uid)
		if !errors.Is(err, unix.ENOENT) {
			return file, err
		}
	}
	return nil, fmt.Errorf("open %s: somebody makes and removes it all the time", path)
}

// existing empties the file that is there, or removes it where it may be another
// name of somebody else's file; then, and if it has gone, the error is ENOENT.
func (p *place) existing(path string, uid int) (*os.File, error) {
	failed := func(err error) (*os.File, error) { return nil, &os.PathError{Op: "open", Path: path, Err: err} }
	var st unix.Stat_t
	if err := unix.Fstatat(fd(p.dir), p.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return failed(err)
	}
	isShared, err := shared(p.dir, uid)
	if err != nil {
		return failed(err)
	}
	regular := st.Mode&unix.S_IFMT == unix.S_IFREG
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK: // since the walk
		return nil, &LinkError{Path: path, Name: p.name, UID: int(st.Uid)}
	case regular && isShared && (uid == 0 || int(st.Uid) == uid):
		if err := unix.Unlinkat(fd(p.dir), p.name, 0); err != nil {
			return failed(err)
		}
		return failed(unix.ENOENT)
	case !regular && isShared && !trusted(int(st.Uid), uid):
		return nil, fmt.Errorf("open %s: it belongs to user %d, who could read what is written, and is no regular file", path, st.Uid)
	}
	opened, err := retry(func() (int, error) { return unix.Openat(fd(p.dir), p.name, flags, 0) })
	if err != nil {
		return failed(err)
	}
	file := os.NewFile(uintptr(opened), path)
	var now unix.Stat_t
	err = unix.Fstat(opened, &now)
	if err == nil && (now.Dev != st.Dev || now.Ino != st.Ino) {
		err = unix.ENOENT // exchanged meanwhile
	}
	if err == nil && regular {
		err = unix.Ftruncate(opened, 0)
	}
	if err != nil {
		_ = file.Close()
		return failed(err)
	}
	return file, nil
}

// reopen opens what a descriptor of this process is open for.
func reopen(path string, number int) (*os.File, error) {
	file, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", number), os.O_WRONLY|os.O_TRUNC|unix.O_NONBLOCK, 0)
	if err != nil {
		if failed, ok := errors.AsType[*os.PathError](err); ok {
			failed.Path = path
		}
		return nil, err
	}
	return file, nil
}

// descriptor is the descriptor that a path names: /dev/stdout, /dev/fd/N.
func descriptor(path string) (number int, ok bool) {
	path = filepath.Clean(path)
	if n, ok := map[string]int{"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}[path]; ok {
		return n, true
	}
	for _, dir := range []string{"/dev/fd/", "/proc/self/fd/"} {
		if text, ok := strings.CutPrefix(path, dir); ok {
			n, err := strconv.Atoi(text)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}

// openDescriptor opens the descriptor that a path names with the process's own
// rights: whoever gave it to the process had it open for writing.
func openDescriptor(path string, number int) (*os.File, error) {
	mode, err := unix.FcntlInt(uintptr(number), unix.F_GETFL, 0)
	if err == nil && mode&unix.O_ACCMODE == unix.O_RDONLY {
		err = errors.New("it is open for reading only")
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return reopen(path, number)
}

// explain says whose rights did not suffice.
func explain(err error) error {
	if owner := sandbox.Owner(); owner.UID != os.Geteuid() && errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w: files are opened as user %d, who called sudo (as root: sudo env -u SUDO_UID tcplab ...)", err, owner.UID)
	}
	return err
}
