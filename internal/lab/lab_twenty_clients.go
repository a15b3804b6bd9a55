package lab

import (
	"fmt"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

var twentyClientsLab = &Lab{
	Name:  "backlog-2-twenty-clients",
	Title: "listen with backlog 2, twenty clients: who is ESTABLISHED and who in SYN-SENT, system by system",
	About: `The same program, listen(fd, 2), on several systems, with twenty clients and no accept: how many are connected? The backlog has meant different things. Once it was the most that both queues together hold; Berkeley multiplies it by one and a half; Linux lets one more than it into the completed queue; FreeBSD answers every SYN and decides only when the handshake is done.

Those who are not let in are not refused. They stay in SYN-SENT and send their SYN again: when accept makes room, they get in, a second or three late.`,
	run: twentyClients,
}

// twentyWant is how many of twenty clients get through with backlog 2.
var twentyWant = []struct {
	profile string
	want    int
	why     string
}{
	{"sum", 2, "both queues together hold the backlog"},
	{"bsd", 4, "3*2/2+1"},
	{"freebsd-4", 3, "backlog+1"},
	{"linux", 3, "backlog+1"},
	{"solaris-9", 4, "as measured"},
	{"macos", 2, "the backlog, and no half-open entry is left to evict"},
	{"lwip", 2, "the backlog"},
}

func twentyClients(s *Scene) {
	for _, row := range twentyWant {
		s.Step("Twenty clients connect to %s, one after another.", row.profile)
		profile, err := profiles.Lookup(row.profile)
		s.must("finding a profile", err)
		server := s.Up(fmt.Sprintf(" --profile %s --backlog 2 --accept off", row.profile), func(c *endpoint.Config) {
			c.Profile, c.Backlog.Backlog, c.Accept = profile, 2, app.Off
		})
		clients := server.ConnectInTurn(20)
		count := states(clients)
		s.Show(fmt.Sprintf("%d ESTABLISHED, %d SYN-SENT", count[netns.Established], count[netns.SYNSent]))
		s.Claim(count[netns.Established] == row.want, "%d get in: %s", row.want, row.why)
		s.Claim(count[netns.SYNSent] == 20-row.want, "the others are in SYN-SENT: nobody was refused")
		if row.profile == "bsd" {
			laterTwenty(s, server, clients)
		}
	}
}

// laterTwenty lets everybody in and looks at how long it took.
func laterTwenty(s *Scene, server *Server, clients []*Client) {
	s.Step("On bsd, the application calls accept from now on. Each of the others gets in with its next SYN.")
	began := time.Now()
	server.Set("accept", "auto")
	for _, c := range clients {
		c.Connected(time.Minute)
	}
	server.WaitFor(handshake.Accepted, 20)
	count := states(clients)
	most := 0
	for _, c := range clients {
		most = max(most, c.Retransmitted())
	}
	s.Say("The last one was connected %v later; its SYN was sent again %d times.", time.Since(began).Round(100*time.Millisecond), most)
	s.Claim(count[netns.Established] == 20, "all twenty are ESTABLISHED in the end")
	s.Claim(most >= 1, "those who waited had to send their SYN again")
}
