package lab

import (
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

var synFloodLab = &Lab{
	Name:  "syn-flood",
	Title: "A bounded SYN flood: the incomplete queue fills, real clients starve; a larger queue; SYN cookies",
	About: `Each SYN with a made-up source takes a place in the incomplete queue until it times out: 75 s in Berkeley-derived systems. A few SYNs a second are enough to keep a short queue full. Real clients find no place; the server is idle, and looks dead.

A larger queue helps as long as the flood is smaller than it. SYN cookies help against any: at a full incomplete queue the server stores nothing and puts what it has to know into the initial sequence number of its SYN-ACK. A client that exists sends it back with its ACK, and is connected; the flood's SYN-ACKs go nowhere.

Nothing of this flood leaves its network namespace.`,
	run: synFlood,
}

func synFlood(s *Scene) {
	linux, err := profiles.Lookup("linux")
	s.must("finding a profile", err)

	s.Step("A server listens with backlog 8, as 4.4BSD does. 1,000 SYNs arrive from addresses that nobody has.")
	server := s.Up(" --backlog 8", nil)
	server.flood(1000)
	incomplete, _ := server.Queues()
	s.Show(queueLines(server)...)
	s.Claim(incomplete == 13, "thirteen of them hold all places, for 75 s; the others were dropped")
	client := server.Connect(1)[0]
	s.Claim(!client.Connected(2500*time.Millisecond), "a real client that tries for 2.5 s is not connected")

	s.Step("The same with backlog 1024.")
	server = s.Up(" --backlog 1024", func(c *endpoint.Config) { c.Backlog.Backlog = 1024 })
	server.flood(1000)
	incomplete, _ = server.Queues()
	s.Say("%d entries are half-open; 3*1024/2+1 = 1537 fit.", incomplete)
	client = server.Connect(1)[0]
	s.Claim(client.Connected(patience) && client.Retransmitted() == 0, "a real client is connected with its first SYN")
	server.flood(2000)
	incomplete, _ = server.Queues()
	client = server.Connect(1)[0]
	s.Claim(incomplete == 1537 && !client.Connected(1500*time.Millisecond), "after 2,000 SYNs the larger queue is full, too, and the next client starves")

	s.Step("Linux with backlog 8 and SYN cookies (net.ipv4.tcp_syncookies = 1).")
	server = s.Up(" --profile linux --backlog 8 --syncookies 1", func(c *endpoint.Config) { c.Profile = linux })
	server.flood(1000)
	incomplete, _ = server.Queues()
	s.Claim(incomplete == 9, "the incomplete queue holds nine; the other SYNs were answered with cookies, and stored nowhere")
	through := 0
	for range 20 { // one after another: a cookie is worth nothing at a full accept queue
		if server.Connect(1)[0].Connected(patience) {
			through++
			server.WaitFor(handshake.Accepted, through)
		}
	}
	totals := server.Totals()
	s.Show("# tcplab nstat: SyncookiesSent " + itoa(int(totals["SyncookiesSent"])) + ", SyncookiesRecv " + itoa(int(totals["SyncookiesRecv"])) +
		", TCPReqQFullDoCookies " + itoa(int(totals["TCPReqQFullDoCookies"])))
	s.Claim(through == 20, "twenty real clients are connected, in the middle of it")
	s.Claim(totals["SyncookiesRecv"] >= 20, "each by the cookie that it sent back")
}

// flood sends n SYNs from clients that do not exist, and waits until each has
// had its verdict.
func (v *Server) flood(n int) {
	before := v.verdicts()
	sent, err := v.ns.Flood(v.s.ctx, netns.Flood{To: v.addr, Count: n, Rate: 2000})
	v.s.must("sending SYNs", err)
	v.s.Show("(" + itoa(sent) + " SYNs to " + v.addr.String() + ")")
	v.s.waitFor("verdicts on the flood's SYNs", patience, func() bool {
		status := v.Status(0)
		lost := 0
		if status.Interface != nil {
			lost = int(status.Interface.TxDropped)
		}
		return v.verdicts()-before+lost+int(v.Totals()["SYNsRepeated"]) >= sent
	})
}
