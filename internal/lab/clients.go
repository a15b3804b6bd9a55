package lab

import (
	"context"
	"fmt"
	"time"

	"tcplab/internal/netns"
)

// Client is a TCP client of the kernel's.
type Client struct {
	*netns.Client
	s      *Scene
	Number int // from 1, in the order of their connects
	Port   uint16
}

// Connect begins to connect k clients, one after another as fast as can be.
func (v *Server) Connect(k int) []*Client {
	clients := make([]*Client, k)
	for i := range clients {
		clients[i] = v.connect(i + 1)
	}
	return clients
}

// ConnectInTurn connects k clients so that each one's SYN has had its verdict
// before the next one's is sent.
func (v *Server) ConnectInTurn(k int) []*Client {
	clients := make([]*Client, k)
	for i := range clients {
		before := v.verdicts()
		clients[i] = v.connect(i + 1)
		v.s.waitFor("a verdict on the SYN", patience, func() bool { return v.verdicts() > before })
		if state, _ := clients[i].Client.State(); state != netns.SYNSent {
			continue // it is connected: so is its place in the queue
		}
		// An admitted one is connected in a moment; a dropped one stays.
		v.settle()
	}
	return clients
}

// verdicts is how many SYNs have been decided on.
func (v *Server) verdicts() int {
	totals := v.Totals()
	return int(totals["SYNsReceived"])
}

// settle waits until no handshake is under way: each entry of the incomplete
// queue is one whose client has had its SYN-ACK, and the host answers at once.
func (v *Server) settle() {
	v.s.waitFor("the handshakes under way to end", patience, func() bool {
		incomplete, _ := v.Queues()
		return incomplete == 0
	})
}

func (v *Server) connect(number int) *Client {
	c, err := v.ns.Connect(v.addr)
	v.s.must("connecting", err)
	v.s.later(func() error { _ = c.Close(); return nil }) // the lab may have closed it
	local, err := c.LocalAddr()
	v.s.must("looking at a client", err)
	return &Client{Client: c, s: v.s, Number: number, Port: local.Port()}
}

// State is the client's state in the words of ss.
func (c *Client) State() netns.State {
	state, err := c.Client.State()
	c.s.must("looking at a client", err)
	return state
}

// Connected waits until the client is connected, or limit is over, and reports
// which.
func (c *Client) Connected(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(c.s.ctx, limit)
	defer cancel()
	err := c.Wait(ctx)
	if err != nil && c.s.ctx.Err() != nil {
		c.s.abort(err)
	}
	return err == nil
}

// Retransmitted is how often the client's kernel has sent its SYN again.
func (c *Client) Retransmitted() int {
	info, err := c.Info()
	c.s.must("looking at a client", err)
	return int(info.Total_retrans)
}

// states counts the clients in each state.
func states(clients []*Client) map[netns.State]int {
	count := make(map[netns.State]int)
	for _, c := range clients {
		count[c.State()]++
	}
	return count
}

// String names a client: "client 14 (port 41234)".
func (c *Client) String() string { return fmt.Sprintf("client %d (port %d)", c.Number, c.Port) }
