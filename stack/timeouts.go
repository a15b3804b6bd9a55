package stack

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// ClientTimeouts say when a connection ends whose client does nothing any more. They
// are those of a kernel's sockets (man 7 tcp). Zero is never.
type ClientTimeouts struct {
	// User is how long bytes that were sent, or that wait for the client's window,
	// may go without any acknowledgment of new ones (TCP_USER_TIMEOUT, RFC 5482). A
	// client that reads slowly acknowledges; one that answers window probes and
	// reads nothing does not. A connection ends within an eighth more than that.
	User time.Duration
	// KeepaliveTime is how long a connection may be idle, nothing being sent or
	// received, until a probe is sent (TCP_KEEPIDLE, RFC 9293 section 3.8.4).
	KeepaliveTime time.Duration
	// KeepaliveInterval is the time between two probes (TCP_KEEPINTVL), and
	// KeepaliveProbes how many go unanswered until the connection ends
	// (TCP_KEEPCNT). There are no probes if one of the three is zero.
	KeepaliveInterval time.Duration
	KeepaliveProbes   int
}

// SetTimeouts changes the timeouts of all connections, those that there are and
// those to come, whether or not they are accepted yet.
func (s *Stack) SetTimeouts(t ClientTimeouts) {
	s.timeouts.Store(&t)
	for _, f := range s.flows.all() {
		if ep := f.endpoint.Load(); ep != nil {
			t.keepalive(ep)
		}
	}
	s.upkeep.ring()
}

// keepalive sets an endpoint's keepalive (SO_KEEPALIVE).
func (t *ClientTimeouts) keepalive(ep *tcp.Endpoint) {
	on := t.KeepaliveTime > 0 && t.KeepaliveInterval > 0 && t.KeepaliveProbes > 0
	if on {
		idle, interval := tcpip.KeepaliveIdleOption(t.KeepaliveTime), tcpip.KeepaliveIntervalOption(t.KeepaliveInterval)
		_ = ep.SetSockOpt(&idle) // it knows these options
		_ = ep.SetSockOpt(&interval)
		_ = ep.SetSockOptInt(tcpip.KeepaliveCountOption, t.KeepaliveProbes)
	}
	ep.SocketOptions().SetKeepAlive(on)
}

// stall is how long a client has acknowledged nothing new although there is
// something to acknowledge. It has no clock and is not safe for concurrent use.
type stall struct {
	una   uint32
	since time.Time // zero: nothing to acknowledge
}

// observe takes SND.UNA and whether anything is beyond it, and returns for how
// long that has been so.
func (s *stall) observe(now time.Time, una uint32, outstanding bool) time.Duration {
	switch {
	case !outstanding:
		s.since = time.Time{}
		return 0
	case s.since.IsZero() || s.una != una:
		s.una, s.since = una, now
	}
	return now.Sub(s.since)
}
