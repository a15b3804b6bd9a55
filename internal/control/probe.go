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
	if cred := peer(conn.(*net.UnixConn)); cred != nil {
		pid = int(cred.Pid)
	}
	return true, pid
}
