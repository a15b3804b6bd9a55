package control

import (
	"errors"
	"io/fs"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// probe reports whether somebody listens at a socket, and its process id, zero
// where that cannot be known. The error says that this process could not find
// out; a socket may be in use then.
func probe(path string) (alive bool, pid int, err error) {
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return false, 0, nil
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		return true, 0, err
	default:
		// A queue that is full, a permission that is missing: the socket is in use.
		return true, 0, nil
	}
	defer conn.Close()
	if cred := peer(conn.(*net.UnixConn)); cred != nil {
		pid = int(cred.Pid)
	}
	return true, pid, nil
}
