package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/events"
	"tcplab/listener/handshake"
)

// Settings are the settings in force.
func (e *Endpoint) Settings() Settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.settings
}

// Set changes settings, given by name, on all ports, as a second listen(2)
// would: all of them, or none if one is wrong.
func (e *Endpoint) Set(changes map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	settings, err := e.settings.With(changes)
	if err != nil {
		return err
	}
	for _, l := range e.listeners {
		if err := l.Configure(settings.ListenerConfig(nil)); err != nil {
			return err
		}
	}
	if _, ok := changes["accept"]; ok {
		e.gate.Set(settings.Accept)
	}
	e.stack.SetTimeouts(settings.Timeouts)
	e.settings = settings
	return nil
}

// Taken is what came of Accept.
type Taken struct {
	Asked   int              `json:"asked"`
	Taken   int              `json:"taken"`
	Clients []netip.AddrPort `json:"clients"` // in the order in which they were taken; the first ones of many
	Pending int              `json:"pending"` // allowed, and taken as soon as a worker is free
	Left    int              `json:"left"`    // length of the completed queues afterwards
}

// Bounds of Accept.
const (
	takeWait    = time.Second // how long it waits for a busy application
	takeClients = 1000        // how many clients it names
)

// Accept has the application take n connections off the completed queues now,
// or as many as there are, whatever the rate at which it calls accept.
func (e *Endpoint) Accept(ctx context.Context, n int) (Taken, error) {
	if n < 1 {
		return Taken{}, fmt.Errorf("accept %d: give how many connections to take, at least 1", n)
	}
	if e.gate.Accept() == app.Auto {
		return Taken{}, errors.New("connections are accepted as they come: stop that first, with tcplab set accept=off")
	}
	e.accepting.Lock()
	defer e.accepting.Unlock()

	accepted := e.hub.Subscribe(takeClients, events.OneKind(handshake.Accepted))
	defer accepted.Close()
	ctx, cancel := context.WithTimeout(ctx, takeWait)
	defer cancel()

	t := Taken{Asked: n, Clients: []netip.AddrPort{}}
	due := min(n, e.completed())
	e.gate.Grant(due)
	for t.Taken < due {
		event, err := accepted.Next(ctx)
		if err != nil {
			break
		}
		t.Taken += 1 + int(min(event.Lost, math.MaxInt32))
		t.Clients = append(t.Clients, event.Tuple.Client())
	}
	t.Pending = max(due-t.Taken, 0)
	t.Left = e.completed()
	return t, nil
}

// completed is the length of all completed queues.
func (e *Endpoint) completed() int {
	n := 0
	for _, l := range e.listeners {
		counts, _, _ := l.Counts()
		n += counts.Completed
	}
	return n
}
