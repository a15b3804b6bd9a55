package stack

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Conn is an adopted connection.
type Conn struct {
	*gonet.TCPConn
	ep      *tcp.Endpoint
	written *atomic.Uint32 // of the flow
}

// Write is gonet's, with what it has taken counted: netstack does not tell how
// much of it waits.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	c.written.Add(uint32(n))
	return n, err
}

// Abort ends the connection with a RST, whatever is unsent (RFC 9293 section
// 3.10.5).
func (c *Conn) Abort() { c.ep.Abort() }
