package webguard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// TokenVariable is the environment variable with a token that somebody has to
// know beforehand.
const TokenVariable = "TCPLAB_TOKEN"

// minToken is the shortest token that is taken from TokenVariable.
const minToken = 16

// How long a client may take. A handler that streams sets deadlines of its own
// (http.ResponseController).
const (
	readTime  = 10 * time.Second
	writeTime = 30 * time.Second
	idleTime  = 2 * time.Minute
	graceTime = time.Second // for what is under way at Close
)

// Guard is a listening socket with the policy of this package before it.
type Guard struct {
	listener net.Listener
	addr     netip.AddrPort
	token    string // "" on loopback
	http     http.Server
	served   chan struct{} // closed when http has ended; nil before Serve
}

// Listen opens the address of a flag, in the network namespace of the calling
// thread. Clients wait until Serve; Close gives the address back. flag is for
// the error: "--metrics".
func Listen(flag string, addr netip.AddrPort) (*Guard, error) {
	g := &Guard{}
	if !addr.Addr().IsLoopback() {
		token, err := makeToken()
		if err != nil {
			return nil, fmt.Errorf("%s %v: %w", flag, addr, err)
		}
		g.token = token
	}
	network := "tcp6"
	if addr.Addr().Is4() {
		network = "tcp4"
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), network, addr.String())
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w%s", flag, addr, err, hint(err))
	}
	g.listener = listener
	g.addr = netip.AddrPortFrom(addr.Addr(), uint16(listener.Addr().(*net.TCPAddr).Port))
	return g, nil
}

// hint says what to do about an error of listen.
func hint(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return ": end who has the port (ss -ltnp), or choose another one"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return ": give an address of this machine, in this network namespace (ip addr)"
	case errors.Is(err, fs.ErrPermission):
		return ": choose a port from 1024 on, or use sudo"
	}
	return ""
}

// makeToken is the token that was given, or a new one.
func makeToken() (string, error) {
	token := os.Getenv(TokenVariable)
	if token == "" {
		return rand.Text(), nil
	}
	if len(token) < minToken {
		return "", fmt.Errorf("the token in %s has %d characters: give at least %d, or none and have one made", TokenVariable, len(token), minToken)
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c >= 0x7f {
			return "", fmt.Errorf("the token in %s has characters that a header cannot carry: use letters and digits", TokenVariable)
		}
	}
	return token, nil
}

// Addr is where it listens.
func (g *Guard) Addr() netip.AddrPort { return g.addr }

// Token is what requests need, "" if they need none.
func (g *Guard) Token() string { return g.token }

// URL is where a client on this machine finds path, "/metrics".
func (g *Guard) URL(path string) string {
	addr := g.addr
	if addr.Addr().IsUnspecified() {
		local := loopback
		if addr.Addr().Is6() {
			local = netip.IPv6Loopback()
		}
		addr = netip.AddrPortFrom(local, addr.Port())
	}
	return "http://" + addr.String() + path
}

// Serve answers requests that the policy allows with handler, in a goroutine of
// its own, until Close.
func (g *Guard) Serve(handler http.Handler) {
	g.http = http.Server{
		Handler:           g.protect(handler),
		ReadHeaderTimeout: readTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	g.served = make(chan struct{})
	go func() {
		defer close(g.served)
		_ = g.http.Serve(g.listener) // it ends when Close closes the listener
	}()
}

// Close stops listening, gives what is under way a moment, and cuts off the
// rest. Everything is gone when it returns.
func (g *Guard) Close() error {
	if g.served == nil {
		return g.listener.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	err := g.http.Shutdown(ctx)
	if err != nil { // some client does not read, or watches a stream
		err = g.http.Close()
	}
	<-g.served
	return err
}
