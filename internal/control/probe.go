package control

import (
	"errors"
	"io/fs"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// probe reports whether somebody listens at a socket, and its process id, zero
// where that cannot be known.
func probe(path string) (alive bool, pid int) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		// Anything else, like a queue that is full or a permission that is
		// missing, comes of a socket that is in use.
		return !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist), 0
	}
	defer conn.Close()
	return true, peer(conn.(*net.UnixConn))
}

// peer is the process that listens at the other end of conn (SO_PEERCRED of
// unix(7)).
func peer(conn *net.UnixConn) int {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	return pid
}
