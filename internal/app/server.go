package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
)

// Server serves one application. Make it with New.
type Server struct {
	app     App
	config  Config
	workers workers
	serving atomic.Int64
}

// New makes a server. It refuses an unknown application, and workers or work
// below zero.
func New(cfg Config) (*Server, error) {
	a, err := Lookup(cfg.App)
	if err == nil {
		err = cfg.check()
	}
	if err != nil {
		return nil, fmt.Errorf("app: %w", err)
	}
	if cfg.Gate == nil {
		cfg.Gate = new(Gate)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{app: a, config: cfg, workers: newWorkers(cfg.Workers)}, nil
}

// App is the application that is served.
func (s *Server) App() App { return s.app }

// Gate is the gate that says when accept is called.
func (s *Server) Gate() *Gate { return s.config.Gate }

// Serving is how many connections are being served.
func (s *Server) Serving() int { return int(s.serving.Load()) }

// Serve takes connections off the listeners and serves them, until ctx ends or
// all listeners are closed. When ctx ends, connections that are being served are
// closed; when the listeners are closed, they are served to their end. The
// listeners stay the caller's to close. All goroutines have ended when Serve
// returns. The error is nil unless a listener failed, which ends the others.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{Server: s, app: s.app.start(ctx, &s.config)}
	defer r.app.close()

	errs := make([]error, len(listeners))
	var loops sync.WaitGroup
	for i, l := range listeners {
		loops.Go(func() {
			if errs[i] = r.loop(ctx, l); errs[i] != nil {
				cancel()
			}
		})
	}
	loops.Wait()
	r.connections.Wait()
	return errors.Join(errs...)
}
