package endpoint

import (
	"os"
	"time"

	"tcplab/internal/counters"
	"tcplab/listener"
	"tcplab/tun"
)

// Counters are the values of all counters of an endpoint under the names of
// package counters. PID and Started tell whether they are of the same life of an
// instance as others.
type Counters struct {
	PID      int               `json:"pid"`
	Started  time.Time         `json:"started"`
	Dev      string            `json:"dev"`
	Counters map[string]uint64 `json:"counters"`
}

// Counters reads all counters.
func (e *Endpoint) Counters() Counters {
	source := e.Source()
	return Counters{PID: os.Getpid(), Started: e.started, Dev: e.config.Dev, Counters: counters.Read(&source)}
}

// Source is what package counters makes its values of.
func (e *Endpoint) Source() counters.Source {
	s := counters.Source{Listeners: e.totals(), Link: e.stack.Counters(), States: e.stack.States()}
	if dev, ok := e.device.(interface{ Stats() (tun.Stats, error) }); ok {
		if stats, err := dev.Stats(); err == nil { // else it was removed, perhaps
			s.TxDropped = stats.TxDropped
		}
	}
	return s
}

// Listeners are the listening sockets.
func (e *Endpoint) Listeners() []*listener.Listener {
	return append([]*listener.Listener(nil), e.listeners...)
}
