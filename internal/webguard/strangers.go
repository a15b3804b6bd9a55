package webguard

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"

	"golang.org/x/sys/unix"
)

// mostStrangers is how many connections clients hold that have not shown that
// they may ask.
const mostStrangers = 64

// strangers are the connections of clients that have not shown that they may
// ask. When there are too many, the oldest one is closed: whoever opens
// connections and leaves them so takes no descriptors from the instance, and
// keeps nobody out. Safe for concurrent use.
type strangers struct {
	most int

	mu    sync.Mutex // guards the following
	order list.List  // of net.Conn, the oldest one first
	at    map[net.Conn]*list.Element
}

// newStrangers bounds connections by a share of the descriptors that this
// process may have (RLIMIT_NOFILE).
func newStrangers() *strangers {
	most := mostStrangers
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		most = int(max(2, min(mostStrangers, limit.Cur/8)))
	}
	return &strangers{most: most, at: make(map[net.Conn]*list.Element)}
}

// changed is http.Server.ConnState.
func (s *strangers) changed(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.come(conn)
	case http.StateClosed, http.StateHijacked:
		s.forget(conn)
	}
}

func (s *strangers) come(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[conn] = s.order.PushBack(conn)
	if s.order.Len() > s.most {
		oldest := s.order.Remove(s.order.Front()).(net.Conn)
		delete(s.at, oldest)
		_ = oldest.Close() // its client hears of it, if there is one
	}
}

// forget takes a connection for one that is known, or gone.
func (s *strangers) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if element, ok := s.at[conn]; ok {
		s.order.Remove(element)
		delete(s.at, conn)
	}
}

// connKey is the context key of a request's connection.
type connKey struct{}

// withConn is http.Server.ConnContext.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// known says that the client of a request has shown that it may ask.
func (s *strangers) known(r *http.Request) {
	if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
		s.forget(conn)
	}
}
