package app

import (
	"context"
	"net"
	"net/http"
	"net/http/fcgi"
	"runtime/debug"
	"sync"
	"time"
)

// fastCGI is the application fastcgi: what http serves, to a web server in front
// that speaks FastCGI in the role of a responder, as php-fpm's workers do. A
// connection is served for as long as the web server keeps it open.
type fastCGI struct {
	config *Config
	routes http.Handler
}

func startFastCGI(ctx context.Context, cfg *Config) application {
	w := &web{config: cfg}
	return &fastCGI{cfg, w.handler(ctx, w.routes())}
}

func (*fastCGI) close() {}

// serve serves a connection and waits until what was asked for on it is done:
// a worker at work is not free because the web server has given up.
func (f *fastCGI) serve(ctx context.Context, conn net.Conn) {
	c := &fastCGIConn{Conn: conn, done: make(chan struct{})}
	accepted := make(chan net.Conn, 1)
	accepted <- c
	_ = fcgi.Serve(&handover{accepted, c.done}, f.handler(ctx, c)) // net.ErrClosed, when c is closed
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.requests.Wait()
}

// fastCGIConn is a connection that says when the protocol is through with it.
type fastCGIConn struct {
	net.Conn
	done chan struct{} // closed by Close
	once sync.Once

	mu       sync.Mutex
	over     bool           // mu guards it: no request begins any more
	requests sync.WaitGroup // those that have begun; added to under mu, unless over
}

// begin reports whether a request may begin. It ends with requests.Done.
func (c *fastCGIConn) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.requests.Add(1)
	}
	return !c.over
}

func (c *fastCGIConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.done) })
	return err
}

// handler handles the requests of a connection with what net/http gives its
// handlers and net/http/fcgi does not: a context that ends, the local address,
// deadlines, and a panic that ends the connection and not the process.
func (f *fastCGI) handler(ctx context.Context, c *fastCGIConn) http.Handler {
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, c.LocalAddr())
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !c.begin() {
			return
		}
		defer c.requests.Done()
		defer func() {
			if p := recover(); p != nil {
				if p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
					f.config.Logger.Error("a FastCGI request panicked", "client", c.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
				}
				_ = c.Close() // half an answer must not look like a whole one
			}
		}()
		f.routes.ServeHTTP(fastCGIWriter{rw, c}, r.WithContext(ctx))
		_ = c.SetReadDeadline(time.Time{}) // of an upload
	})
}

// fastCGIWriter has the deadlines that http.ResponseController looks for.
type fastCGIWriter struct {
	http.ResponseWriter
	conn net.Conn
}

func (w fastCGIWriter) SetReadDeadline(t time.Time) error { return w.conn.SetReadDeadline(t) }
