package lab

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// serveFastCGI serves a FastCGI application with one worker at a unix socket, a
// request in 300 ms, as php-fpm with pm.max_children = 1 would. net.Listen has no
// backlog to choose.
func (s *Scene) serveFastCGI(socket string, backlog int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: socket}), unix.Listen(fd, backlog)); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	file := os.NewFile(uintptr(fd), socket)
	l, err := net.FileListener(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	s.work.Go(func() {
		_ = fcgi.Serve(netutil.LimitListener(l, 1), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { // until it is closed
			time.Sleep(300 * time.Millisecond) // the work
			_, _ = io.WriteString(w, "served\n")
		}))
	})
	s.later(l.Close)
	return os.Chmod(socket, 0o666)
}
