package stack

import (
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Conn is an adopted connection.
type Conn struct {
	*gonet.TCPConn
	ep *tcp.Endpoint
}

// Abort ends the connection with a RST, whatever is unsent (RFC 9293 section
// 3.10.5).
func (c *Conn) Abort() { c.ep.Abort() }
