package control

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/trace"
)

// Instance is what a Server controls. *endpoint.Endpoint implements it.
type Instance interface {
	Status(limit int) endpoint.Status
	Counters() endpoint.Counters
	Sockets(limit int) endpoint.Sockets
	Accept(ctx context.Context, n int) (endpoint.Taken, error)
	Set(changes map[string]string) error
	Subscribe(size int, kinds events.Kinds) *events.Subscription
	Replay(size int, kinds events.Kinds) *events.Subscription
	Trace(size, snaplen int) *trace.Subscription
}

// Stopped is the last answer of an instance that has ended.
type Stopped struct {
	Totals map[string]uint64 `json:"totals"`          // the listeners' counters together
	Error  string            `json:"error,omitempty"` // what went wrong at the end
}

// How long a client may take. A stream and the answer to "down" have no end
// that is known before; for the one, each line counts by itself.
const (
	readTime  = 10 * time.Second
	writeTime = 10 * time.Second
	idleTime  = time.Minute
	graceTime = time.Second // for what is under way when the server closes
)

// Server is the control socket of an instance.
type Server struct {
	socket   *net.UnixListener
	claimed  *claimed
	owner    int // user of the socket
	http     http.Server
	instance Instance      // set by Serve
	served   chan struct{} // closed when http has ended; nil before Serve

	asked   chan struct{} // closed by the first request to go down
	askOnce sync.Once

	stopped   chan struct{} // closed by Close
	closeOnce sync.Once
	final     Stopped // written before stopped is closed
}

// Dir is the directory that the socket is in, from which Close removes it.
func (s *Server) Dir() string { return filepath.Dir(s.claimed.path) }

// Claim makes the control socket of the instance on dev, in the network
// namespace of the calling thread. The error is a *RunningError if there is one.
// Clients wait until Serve; Close gives the name back.
//
// While another process of the same user claims a name, Claim waits, for some
// seconds at most or until ctx ends. It tells notes, which may be nil, for whom.
func Claim(ctx context.Context, dev string, notes io.Writer) (*Server, error) {
	name, err := claim(ctx, dev, notes)
	if err != nil {
		return nil, err
	}
	s := &Server{socket: name.listener, claimed: name, owner: owner(), asked: make(chan struct{}), stopped: make(chan struct{})}
	s.http = http.Server{
		Handler:           s.known(s.named(s.routes())),
		ConnContext:       withUser,
		ReadHeaderTimeout: readTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	return s, nil
}

// Path is where the socket is.
func (s *Server) Path() string { return s.claimed.path }

// Serve answers clients from now on, in a goroutine of its own.
func (s *Server) Serve(instance Instance) {
	s.instance, s.served = instance, make(chan struct{})
	go func() {
		defer close(s.served)
		_ = s.http.Serve(s.socket) // it ends when Close closes the socket
	}()
}

// Asked is closed when a client has asked the instance to go down. The client
// waits for Close.
func (s *Server) Asked() <-chan struct{} { return s.asked }

// Close removes the socket and answers those who asked the instance to go down
// with final; the instance must have ended. It does not wait long for clients
// that do not read. Only the first call does anything.
func (s *Server) Close(final Stopped) error {
	var err error
	s.closeOnce.Do(func() {
		_ = s.socket.Close()
		err = s.claimed.remove()
		s.claimed.dir.close()
		s.final = final
		close(s.stopped)
		if s.served == nil {
			return
		}
		<-s.served
		ctx, cancel := context.WithTimeout(context.Background(), graceTime)
		defer cancel()
		if s.http.Shutdown(ctx) != nil { // some client does not read
			_ = s.http.Close()
		}
	})
	return err
}
