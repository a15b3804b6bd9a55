package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Timeouts of the web server. There is none on a whole request or response:
// those may take as long as they get on.
const (
	headerTimeout = time.Minute     // for a request's header, from its connection's start on
	idleTimeout   = time.Minute     // between two requests
	stallTimeout  = 5 * time.Minute // between two pieces of an upload
)

// web is the application http: a net/http server that is handed connections one
// by one.
type web struct {
	config   *Config
	server   http.Server
	conns    handover
	finished sync.Map       // net.Conn to the chan struct{} that connState closes
	running  sync.WaitGroup // server.Serve
}

func startWeb(ctx context.Context, cfg *Config) application {
	w := &web{
		config: cfg,
		conns:  handover{make(chan net.Conn), make(chan struct{})},
	}
	w.server = http.Server{
		Handler:           w.handler(ctx, w.routes()),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		ConnState:         w.connState,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}
	w.running.Go(func() { _ = w.server.Serve(&w.conns) }) // http.ErrServerClosed
	return w
}

// close ends the server. Its Close waits until Serve has let go of the handover.
func (w *web) close() {
	_ = w.server.Close() // what handover.Close returns
	w.running.Wait()
}

// serve hands a connection to the server and waits until that is done with it.
func (w *web) serve(ctx context.Context, conn net.Conn) {
	finished := make(chan struct{})
	w.finished.Store(conn, finished)
	select {
	case w.conns.conns <- conn:
		<-finished
	case <-ctx.Done():
		w.finished.Delete(conn)
	}
}

// connState is told of each connection's states; closed is the last.
func (w *web) connState(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed {
		return
	}
	if finished, ok := w.finished.LoadAndDelete(conn); ok {
		close(finished.(chan struct{}))
	}
}

// handler has each request handled after the configured work. That takes its
// time although the client may leave, as an application at work would not
// notice. When ctx ends nothing is answered any more, nor waited for.
func (w *web) handler(ctx context.Context, routes http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if sleep(ctx, w.config.Work) == nil {
			routes.ServeHTTP(rw, r)
		}
		if ctx.Err() != nil {
			panic(http.ErrAbortHandler) // net/http would wait for the client to read our answer
		}
	})
}

// handover is the listener of a server that is handed connections.
type handover struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case conn := <-h.conns:
		return conn, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. The server calls it once.
func (h *handover) Close() error {
	close(h.done)
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }
