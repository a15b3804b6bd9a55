package control

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/sys/unix"

	"tcplab/internal/jsonapi"
	"tcplab/internal/sandbox"
)

// peer is the process at the other end of conn, as it was when it connected or
// began to listen (SO_PEERCRED of unix(7)); nil where that cannot be known.
func peer(conn *net.UnixConn) (cred *unix.Ucred) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	_ = raw.Control(func(fd uintptr) {
		cred, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return cred
}

// owner is the user who controls the instances that this process makes: who
// called sudo, or who it was when it did not give up root yet.
func owner() int {
	if user, ok := sandbox.Caller(); ok {
		return user.UID
	}
	return os.Geteuid()
}

// userKey is the key for the user of a connection in its context.
type userKey struct{}

// withUser notes who connected.
func withUser(ctx context.Context, conn net.Conn) context.Context {
	if unixConn, ok := conn.(*net.UnixConn); ok {
		if cred := peer(unixConn); cred != nil {
			return context.WithValue(ctx, userKey{}, int(cred.Uid))
		}
	}
	return ctx
}

// known lets root and the owner through, and nobody else: the mode of the socket
// does not hold for who has CAP_DAC_OVERRIDE, or changed it.
func (s *Server) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, ok := r.Context().Value(userKey{}).(int); {
		case !ok:
			jsonapi.Refuse(w, jsonapi.Errorf(http.StatusForbidden, "the instance cannot tell who you are"))
		case user != 0 && user != s.owner:
			jsonapi.Refuse(w, jsonapi.Errorf(http.StatusForbidden, "the instance belongs to user %d, and you are user %d: use sudo", s.owner, user))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// instanceHeader names the instance that a request is for: address.name as in a path
// of a URL.
const instanceHeader = "Tcplab-Instance"

// named refuses requests for another instance: whoever owns the directory of a
// socket can give it the name of another one.
func (s *Server) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.Header.Get(instanceHeader); name != "" && name != url.PathEscape(s.claimed.name) {
			jsonapi.Refuse(w, jsonapi.Errorf(http.StatusMisdirectedRequest,
				"process %d serves %s, not %s: its socket was renamed", os.Getpid(), s.claimed.name, name))
			return
		}
		next.ServeHTTP(w, r)
	})
}
