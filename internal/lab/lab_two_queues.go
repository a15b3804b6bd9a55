package lab

import (
	"fmt"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/handshake"
)

var twoQueuesLab = &Lab{
	Name:  "two-queues",
	Title: "One handshake in slow motion: SYN, incomplete, final ACK, completed, accept",
	About: `A listening socket has two queues. A SYN makes an entry in the incomplete queue and is answered with SYN and ACK in one segment: the connection is in SYN-RECEIVED. The client's ACK, the third segment, completes the handshake: the entry moves to the end of the completed queue, ESTABLISHED. accept(2) takes the first entry off that queue; with none there, the process sleeps.

The program that called listen(2) has no part in the handshake. A client is connected as soon as the kernel says so, long before any accept: that is why a server that accepts nothing still has clients that believe all is well.`,
	run: twoQueues,
}

func twoQueues(s *Scene) {
	s.Step("A server listens with backlog 8 and does not call accept.")
	server := s.Up(" --backlog 8 --accept off", func(c *endpoint.Config) { c.Accept = app.Off })
	inc, com := server.Queues()
	s.Claim(inc == 0 && com == 0, "both queues are empty")

	s.Step("A SYN arrives from a client that will not answer: only then can the incomplete queue be looked at. Its address is one that nobody has.")
	sent, err := server.ns.Flood(s.ctx, netns.Flood{To: server.addr, Count: 1})
	s.must("sending a SYN", err)
	server.WaitFor(handshake.SYNAdmitted, sent)
	inc, com = server.Queues()
	s.Show(queueLines(server)...)
	s.Claim(inc == 1 && com == 0, "the SYN has made an entry in the incomplete queue, in SYN-RECEIVED")

	s.Step("A real client connects. Its kernel answers the SYN-ACK at once, so its entry is half-open for less than a millisecond.")
	client := server.Connect(1)[0]
	s.Claim(client.Connected(patience), "connect(2) returns, though nobody called accept")
	server.WaitFor(handshake.Promoted, 1)
	inc, com = server.Queues()
	s.Show(packetLines(server.Packets(client.Port))...)
	s.Show(queueLines(server)...)
	s.Claim(inc == 1 && com == 1, "its final ACK has moved the entry to the completed queue")
	s.Claim(client.State() == netns.Established, "the client's kernel says ESTABLISHED")

	s.Step("The application calls accept once.")
	taken := server.Accept(1)
	s.Claim(taken.Taken == 1 && taken.Clients[0].Port() == client.Port, "accept returns that client's connection")
	inc, com = server.Queues()
	s.Show(queueLines(server)...)
	s.Claim(inc == 1 && com == 0, "the completed queue is empty again; the half-open entry stays until its client answers or it times out")
}

// queueLines are both queues with their first entries.
func queueLines(v *Server) []string {
	status := v.Status(3)
	l := &status.Listeners[0]
	lines := []string{"# tcplab status"}
	for _, queue := range []struct {
		name string
		q    *endpoint.QueueStatus
	}{{"incomplete", &l.Incomplete}, {"completed ", &l.Completed}} {
		text := queue.name + " ["
		for i, e := range queue.q.Entries {
			if i > 0 {
				text += ", "
			}
			text += e.Client.String() + " " + e.State
		}
		if more := queue.q.Length - len(queue.q.Entries); more > 0 {
			text += fmt.Sprintf(", and %d more", more)
		}
		lines = append(lines, text+"]")
	}
	return lines
}
