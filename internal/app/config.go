package app

import (
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config is what a Server serves and how. It is copied.
type Config struct {
	// App is the name of the application, one of Names. Empty means http.
	App string

	// Gate says when accept is called. Several servers may share one. Nil is a
	// gate that is always open.
	Gate *Gate

	// Workers is how many connections are served at once, over all listeners.
	// Zero means without limit.
	Workers int

	// Work is how long the application takes: each HTTP request is served so
	// much later; of the other applications, each connection. It is not cut
	// short when the client leaves. Zero: at once.
	Work time.Duration

	// Info tells the page at / about the listener with this address, which is
	// nil when the connection is gone already. It is called by many goroutines
	// at once. Nil: the page says nothing of it.
	Info func(local net.Addr) Info

	// Logger hears of failing accepts and of panics. Nil: nobody does.
	Logger *slog.Logger
}

// Info is what the page at / says of the listener that served it.
type Info struct {
	Profile    string
	Limit      string // what the profile makes of the backlog, in words
	Backlog    int
	Incomplete int // length of the incomplete queue
	Completed  int // length of the completed queue
}

// check refuses what cannot be served.
func (c *Config) check() error {
	switch {
	case c.Workers < 0:
		return fmt.Errorf("%d workers: give how many connections are served at once, or 0 for no limit", c.Workers)
	case c.Work < 0:
		return fmt.Errorf("work of %v: give how long a connection takes, 0 or more", c.Work)
	}
	return nil
}
