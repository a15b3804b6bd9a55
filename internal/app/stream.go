package app

import (
	"context"
	"io"
	"net"
	"time"
)

// stream starts an application that needs nothing but the connection.
func stream(serve func(context.Context, net.Conn)) func(context.Context, *Config) application {
	return func(_ context.Context, cfg *Config) application {
		return &streamer{cfg.Work, serve}
	}
}

type streamer struct {
	work time.Duration
	do   func(context.Context, net.Conn)
}

func (s *streamer) serve(ctx context.Context, conn net.Conn) {
	if sleep(ctx, s.work) == nil {
		s.do(ctx, conn)
	}
}

func (*streamer) close() {}

// echo sends back what it gets. When the client has sent all, it has all back
// before our FIN.
func echo(_ context.Context, conn net.Conn) {
	if _, err := copyStream(conn, conn, conn); err != nil {
		return
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // the connection is gone already
	}
}

// discard reads to the end.
func discard(_ context.Context, conn net.Conn) {
	_, _ = copyStream(io.Discard, conn, conn) // however it ends
}

// heldBytes is how much hold reads to learn that a client has left. A request
// fits; what comes after it fills the receive window, as it would for an
// application that hangs.
const heldBytes = 64 << 10

// hold says nothing until the client has closed the connection or ctx ends. The
// end of a client that sends more than heldBytes is not seen.
func hold(ctx context.Context, conn net.Conn) {
	buf := make([]byte, 512)
	for left := heldBytes; left > 0; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
	<-ctx.Done()
}
