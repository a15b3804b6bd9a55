package bench

import (
	"bytes"
	"io"
	"net"
	"sync"
)

// server is the application, the same on each stack: it does as little as can be.
type server struct {
	mu    sync.Mutex // guards the following
	conns map[net.Conn]struct{}
	ended bool
	all   sync.WaitGroup
}

// page is the answer to every request.
var page = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n")

// serve serves the listeners, in the order of ports.
func (s *server) serve(listeners []net.Listener) {
	for i, handle := range []func(net.Conn){web, discard, source} {
		if i < len(listeners) {
			s.all.Go(func() { s.accept(listeners[i], handle) })
		}
	}
}

func (s *server) accept(l net.Listener, handle func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			_ = conn.Close() // nobody is served any more
			return
		}
		if s.conns == nil {
			s.conns = make(map[net.Conn]struct{})
		}
		s.conns[conn] = struct{}{}
		s.all.Go(func() {
			handle(conn)
			_ = conn.Close() // the client's errors are its own
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, conn)
		})
		s.mu.Unlock()
	}
}

// wait ends all connections; the listeners are closed.
func (s *server) wait() {
	s.mu.Lock()
	s.ended = true
	for conn := range s.conns {
		_ = conn.Close() // ends its handler
	}
	s.mu.Unlock()
	s.all.Wait()
}

// web answers requests, and closes after one of HTTP/1.0 without keep-alive.
func web(conn net.Conn) {
	buf := make([]byte, 4096)
	have := 0
	for {
		n, err := conn.Read(buf[have:])
		have += n
		end := bytes.Index(buf[:have], []byte("\r\n\r\n"))
		if end < 0 {
			if err != nil || have == len(buf) {
				return
			}
			continue
		}
		head := buf[:end]
		once := bytes.Contains(head, []byte("HTTP/1.0\r\n")) && !bytes.Contains(head, []byte("eep-Alive")) ||
			bytes.HasSuffix(head, []byte("HTTP/1.0"))
		if _, err := conn.Write(page); err != nil || once {
			return
		}
		have = copy(buf, buf[end+4:have])
	}
}

func discard(conn net.Conn) {
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, conn, make([]byte, chunk))
}

// chunk is how much is written and read at once.
const chunk = 256 << 10

func source(conn net.Conn) {
	data := make([]byte, chunk)
	for {
		if _, err := conn.Write(data); err != nil {
			return
		}
	}
}
