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
	"net/url"
	"time"

	"golang.org/x/sys/unix"
)

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
	listener  net.Listener
	addr      netip.AddrPort
	page      bool   // for browsers
	token     secret // none for programs on loopback
	cookie    secret // of a page, that browsers get for the token
	key       secret // likewise
	strangers *strangers
	http      http.Server
	served    chan struct{} // closed when http has ended; nil before Serve
}

// Listen opens the address of a flag for programs, in the network namespace of
// the calling thread. Clients wait until Serve; Close gives the address back.
// flag is for the error: "--metrics".
func Listen(flag string, addr netip.AddrPort) (*Guard, error) {
	g := &Guard{}
	if !addr.Addr().IsLoopback() {
		var err error
		if g.token, err = makeToken(); err != nil {
			return nil, fmt.Errorf("%s %v: %w", flag, addr, err)
		}
	}
	if err := g.listen(flag, addr); err != nil {
		return nil, err
	}
	return g, nil
}

// ListenPage is Listen for a page in a browser.
func ListenPage(flag string, addr netip.AddrPort) (*Guard, error) {
	token, err := makeToken()
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", flag, addr, err)
	}
	g := &Guard{page: true, token: token, cookie: secret(rand.Text()), key: secret(rand.Text())}
	if err := g.listen(flag, addr); err != nil {
		return nil, err
	}
	return g, nil
}

// listen opens the socket.
func (g *Guard) listen(flag string, addr netip.AddrPort) error {
	network := "tcp6"
	if addr.Addr().Is4() {
		network = "tcp4"
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), network, addr.String())
	if err != nil {
		return fmt.Errorf("%s %v: %w%s", flag, addr, err, hint(err))
	}
	g.listener, g.strangers = listener, newStrangers()
	g.addr = netip.AddrPortFrom(addr.Addr(), uint16(listener.Addr().(*net.TCPAddr).Port))
	return nil
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

// Addr is where it listens.
func (g *Guard) Addr() netip.AddrPort { return g.addr }

// Token is what requests need, "" if they need none.
func (g *Guard) Token() string { return string(g.token) }

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

// LoginURL is what to open in a browser on this machine, with the token.
func (g *Guard) LoginURL() string { return g.URL("/?token=" + url.QueryEscape(string(g.token))) }

// Serve answers requests that the policy allows with handler, in a goroutine of
// its own, until Close.
func (g *Guard) Serve(handler http.Handler) {
	g.http = http.Server{
		Handler:           g.protect(handler),
		ConnState:         g.strangers.changed,
		ConnContext:       withConn,
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
