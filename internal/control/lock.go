package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/printable"
	"tcplab/internal/sandbox"
)

// How long a claim waits for others of the same user, and when it says so.
var (
	lockTime = 10 * time.Second
	sayTime  = 200 * time.Millisecond
)

const lookTime = 20 * time.Millisecond // between two attempts

// lockRunDir keeps other instances of a user from claiming a socket in RunDir, until
// unlock is called. The lock is flock(2) on a file that only root can open, or who
// RunDir belongs to. It waits for lockTime or until ctx ends, and tells notes for whom.
func lockRunDir(ctx context.Context, run *folder, user sandbox.User, notes io.Writer) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, errLocked)
	defer cancel()
	name := fmt.Sprintf(".%d.lock", user.UID)
	tick := time.NewTicker(lookTime)
	defer tick.Stop()
	said := time.Now().Add(sayTime)
	for {
		file, err := takeLock(run, name)
		if err == nil {
			return func() { _ = file.Close() }, nil // which gives up the lock
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, err
		}
		if notes != nil && time.Now().After(said) {
			fmt.Fprintf(notes, "tcplab: waiting for %s, which is locked by %s\n", join(run, name), lockHolder(run, name))
			notes = nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if context.Cause(ctx) == errLocked { //nolint:errorlint // it is this very one
				return nil, fmt.Errorf("%s is locked by %s, and was not released within %v: end that process", join(run, name), lockHolder(run, name), lockTime)
			}
			return nil, ctx.Err()
		}
	}
}

var errLocked = errors.New("locked")

// takeLock takes the lock if it is free. The error is unix.EWOULDBLOCK if it is not.
func takeLock(run *folder, name string) (*os.File, error) {
	file, err := openLock(run, name)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EINTR) {
		err = unix.EWOULDBLOCK
	}
	if err != nil {
		_ = file.Close()
		return nil, &os.PathError{Op: "flock", Path: join(run, name), Err: err}
	}
	return file, nil
}

// openLock opens the file of the lock, and makes it if it is missing. It refuses one
// that others than root and the owner of RunDir could lock. O_NONBLOCK: its owner
// may have a lease on it (F_SETLEASE of fcntl(2)), which is as good as a lock.
func openLock(run *folder, name string) (file *os.File, err error) {
	user, path := run.owner(), join(run, name)
	err = sandbox.As(user, func() error {
		const flags = unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
		fd, err := unix.Openat(run.fd(), name, flags, 0o600)
		if errors.Is(err, unix.EINTR) {
			err = unix.EWOULDBLOCK
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EACCES) && os.Geteuid() == 0:
			return notLock(path, user) // EACCES: fs.protected_regular
		default:
			return &os.PathError{Op: "open", Path: path, Err: err}
		}
		file = os.NewFile(uintptr(fd), path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(file.Fd()), &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 1 || st.Mode&0o077 != 0 || int(st.Uid) != user.UID && st.Uid != 0) {
		err = notLock(path, user)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func notLock(path string, user sandbox.User) error {
	return &UnsafeError{path, fmt.Sprintf("is no file of user %d that nobody else can lock: remove it", user.UID)}
}

// lockHolder says who holds the lock.
func lockHolder(run *folder, name string) string {
	pid := lockedBy(run, name)
	if pid == 0 {
		pid = openedBy(run, name)
	}
	if pid == 0 {
		return "another process"
	}
	return fmt.Sprintf("process %d%s", pid, command(pid))
}

// lockedBy is who has taken a lock, or a lease, on a file, by /proc/locks
// (proc_locks(5)). It is zero if that process has ended, or is in another PID
// namespace.
func lockedBy(run *folder, name string) (pid int) {
	var st unix.Stat_t
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer func() { _ = locks.Close() }()
	if unix.Fstatat(run.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return 0
	}
	inode := fmt.Sprintf(":%d", st.Ino)
	device := fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev))
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 707 00:1a:12345 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" && fields[1] != "LEASE" || !strings.HasSuffix(fields[5], inode) {
			continue
		}
		if n, err := strconv.Atoi(fields[4]); err == nil && n > 0 && unix.Kill(n, 0) != unix.ESRCH {
			pid = n
		}
		if fields[5] == device+inode {
			break // some file systems show another device
		}
	}
	return pid
}

// openedBy is a process that has a file open: a lock of flock(2) stays with whoever
// has inherited its descriptor. It is zero if this process may not know.
func openedBy(run *folder, name string) int {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", run.fd()))
	if err != nil {
		return 0
	}
	all, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*")
	for _, fd := range all {
		if target, err := os.Readlink(fd); err != nil || target != filepath.Join(path, name) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(fd, "/")[2]); err == nil && pid != os.Getpid() {
			return pid
		}
	}
	return 0
}

// command is what a process calls itself, for a message.
func command(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (%s)", printable.Line(strings.TrimSuffix(string(name), "\n")))
}
