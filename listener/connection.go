package listener

import (
	"net"

	"tcplab/listener/handshake"
)

// connection follows an entry from its adoption until it is accepted. It is the
// Adopted that the port reports to.
type connection struct {
	l     *Listener
	entry *handshake.Entry

	// guarded by l.mu
	conn    net.Conn // nil until established
	aborted bool     // to be reset as soon as it is established
}

// Established makes the connection ready for accept.
func (c *connection) Established(conn net.Conn) {
	c.l.mu.Lock()
	aborted := c.aborted
	c.conn = conn
	c.l.ready.Broadcast()
	c.l.mu.Unlock()
	if aborted {
		abort(conn)
	}
}

// Failed frees the place in the queue and tells the client.
func (c *connection) Failed(error) {
	var out handshake.Output
	c.l.mu.Lock()
	if c.aborted { // by Close, which has taken it out of the queue
		c.l.machine.Abort(c.entry, &out)
	} else {
		delete(c.l.adopted, c.entry)
		c.l.machine.AdoptionFailed(c.l.now(), c.entry, &out)
		c.l.settleLocked(&out)
	}
	c.l.mu.Unlock()
	c.l.send(&out)
}

// Ended takes a connection that its client reset out of the completed queue.
func (c *connection) Ended() {
	var conn net.Conn
	c.l.run(nil, func(m *handshake.Machine, out *handshake.Output) {
		if _, waiting := c.l.adopted[c.entry]; !waiting {
			return
		}
		if !m.Ended(c.l.now(), c.entry, out) {
			delete(c.l.adopted, c.entry)
			conn = c.conn
		}
	})
	if conn != nil {
		go conn.Close() // not here: the endpoint may hold the connection's lock
	}
}

// abort ends conn with a RST.
func abort(conn net.Conn) {
	if a, ok := conn.(Aborter); ok {
		a.Abort()
	}
	_ = conn.Close() // the connection is gone already
}
