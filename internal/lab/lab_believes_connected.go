package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

var believesConnectedLab = &Lab{
	Name:  "believes-connected",
	Title: "Linux drops the final ACK at a full accept queue: the client believes it is connected, the server has no connection",
	About: `Linux looks at the accept queue a second time when the final ACK comes. If it has filled up since the SYN, the ACK is dropped, and the data behind it too: the entry stays half-open and its SYN-ACKs go on. The client has had its SYN-ACK: for it, connect(2) has succeeded, ss shows ESTAB, its data is sent and sent again. The server has nothing that an application could read. ListenOverflows and ListenDrops count it.

If room is made in time, the next ACK completes the connection and all is well. If not, the server gives the entry up without a word after its last SYN-ACK, and the client's next segment is answered with RST. With tcp_abort_on_overflow = 1 the final ACK itself is answered with RST: quick and honest, but the client cannot tell it from a crash.`,
	run: believesConnected,
}

// latency is long enough for two SYNs to be under way at the same time on a busy
// machine.
const latency = 200 * time.Millisecond

const greeting = "hello, is anybody there?"

func believesConnected(s *Scene) {
	linux, err := profiles.Lookup("linux")
	s.must("finding a profile", err)
	up := func(abort bool) *Server {
		command := " --profile linux --backlog 1 --accept off"
		if abort {
			command += " --abort-on-overflow"
		}
		return s.UpFar(command, latency, func(c *endpoint.Config) {
			c.Profile, c.Backlog.Backlog, c.Accept, c.Backlog.AbortOnOverflow = linux, 1, app.Off, abort
		})
	}

	s.Step("A server listens with backlog 1: two connections fit, and nobody calls accept. One client is queued already. The server is %v away, so that two more are half-open at the same time: both SYNs find room, one connection will not.", latency)
	server := up(false)
	first, second := server.race()
	server.WaitFor(handshake.ACKDropped, 1)
	s.Show(eventLines(server.Events(nil))...)
	s.Claim(server.Count(handshake.ACKDropped) >= 1, "the final ACK of one client found the accept queue full and was dropped")

	s.Step("Both sides are asked what they see.")
	incomplete, completed := server.Queues()
	server.ss()
	s.Claim(first.Connected(patience) && second.Connected(patience), "both clients are ESTABLISHED")
	s.Claim(completed == 2 && incomplete == 1, "the server has one of them, and one that is half-open still")
	totals := server.Totals()
	s.Show(fmt.Sprintf("# tcplab nstat: ListenOverflows %d, ListenDrops %d", totals["ListenOverflows"], totals["ListenDrops"]))
	s.Claim(totals["ListenOverflows"] >= 1 && totals["ListenOverflows"] == totals["ListenDrops"], "ListenOverflows and ListenDrops count it")

	s.Step("The client without a connection sends data.")
	lost := server.without(s, first, second)
	conn, err := lost.Conn()
	s.must("using a connection", err)
	_, err = conn.Write([]byte(greeting))
	s.Claim(err == nil, "write(2) succeeds: the data is in the socket's buffer")
	s.waitFor("the data to be dropped twice", patience, func() bool { return server.dataDropped(lost.Port) >= 2 })
	s.Show(packetLines(server.Packets(lost.Port))...)
	s.Claim(server.dataDropped(lost.Port) >= 2, "the data is dropped as the ACK was; the client sends it again")
	server.ss()
	client, entry := server.sides(lost.Port)
	s.Claim(client == fmt.Sprint("ESTAB 0 ", len(greeting)), "for the client's kernel the connection is ESTAB, with %d bytes in Send-Q that nobody acknowledges", len(greeting))
	s.Claim(entry == "SYN-RECV 0 0", "for the server it is SYN-RECV, with nothing to read")

	s.Step("accept makes room. The next segment of the client's completes its connection, data and all.")
	server.Accept(2)
	server.WaitFor(handshake.Promoted, 3)
	taken := server.Accept(1)
	s.Claim(taken.Taken == 1 && taken.Clients[0].Port() == lost.Port, "accept returns the connection that was thought lost")
	s.waitFor("the data to be acknowledged", patience, func() bool {
		client, _ = server.sides(lost.Port)
		return strings.HasSuffix(client, " 0")
	})
	s.Claim(strings.HasSuffix(client, " 0"), "its data has arrived: nothing is left in Send-Q")
	_ = conn.Close()

	s.Step("The same with tcp_abort_on_overflow = 1.")
	server = up(true)
	first, second = server.race()
	server.WaitFor(handshake.ACKReset, 1)
	s.Show(eventLines(server.Events(nil))...)
	gone := func(c *Client) bool {
		state := c.State()
		return state == netns.Closed
	}
	s.waitFor("the RST to arrive", patience, func() bool { return gone(first) || gone(second) })
	s.Claim(gone(first) != gone(second), "one client is connected, the other one was reset")
	s.Claim(server.Totals()["EmbryonicRsts"] == 1, "EmbryonicRsts counts it")
}

// race has two handshakes overlap behind a client that is queued: with the
// latency, both SYNs are in before either final ACK.
func (v *Server) race() (first, second *Client) {
	v.Connect(1)
	v.WaitFor(handshake.Promoted, 1)
	clients := v.Connect(2)
	v.WaitFor(handshake.SYNAdmitted, 3)
	return clients[0], clients[1]
}

// dataDropped is how many segments with data of a client's were dropped.
func (v *Server) dataDropped(port uint16) int {
	n := 0
	for _, p := range v.Packets(port) {
		var seg segment.Segment
		if segment.Parse(p.Data, &seg) != nil || len(seg.Payload) == 0 {
			continue
		}
		if slices.ContainsFunc(p.Events, func(e listener.Event) bool { return e.Kind == handshake.ACKDropped }) {
			n++
		}
	}
	return n
}

// without is the one of two clients that the server does not have.
func (v *Server) without(s *Scene, a, b *Client) *Client {
	dropped := v.Events(func(e *listener.Event) bool { return e.Kind == handshake.ACKDropped })
	if len(dropped) == 0 {
		s.abort(errors.New("no final ACK was dropped"))
	}
	if dropped[0].Tuple.ClientPort == a.Port {
		return a
	}
	return b
}
