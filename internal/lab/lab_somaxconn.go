package lab

import (
	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
)

var somaxconnLab = &Lab{
	Name:  "somaxconn",
	Title: "listen(2048) under net.core.somaxconn 128, and listen(-1)",
	About: `The kernel clamps what listen(2) asks for to net.core.somaxconn, and says nothing: a program that is set to a backlog of 2048 has one of 128 on a system that was never tuned. ss -ltn shows the truth in Send-Q. 128 was Linux's default until 5.4, 4096 since.

-1, as php-fpm had it in listen.backlog, is not "no queue" and not "no limit": taken as an unsigned number it is larger than any somaxconn, so it means as much as the system allows.`,
	run: somaxconn,
}

func somaxconn(s *Scene) {
	linux, err := profiles.Lookup("linux")
	s.must("finding a profile", err)
	for _, row := range []struct {
		command            string
		backlog, somaxconn int
		effective          int
	}{
		{" --profile linux --backlog 2048 --somaxconn 128 --accept off", 2048, 128, 128},
		{" --profile linux --backlog 2048 --somaxconn 4096 --accept off", 2048, 4096, 2048},
		{" --profile linux --backlog -1 --somaxconn 128 --accept off", -1, 128, 128},
	} {
		s.Step("A program calls listen(fd, %d) where net.core.somaxconn is %d.", row.backlog, row.somaxconn)
		server := s.Up(row.command, func(c *endpoint.Config) {
			c.Profile, c.Accept = linux, app.Off
			c.Backlog.Backlog, c.Backlog.Somaxconn = row.backlog, row.somaxconn
		})
		l := server.Status(0).Listeners[0]
		s.Claim(l.Effective == row.effective, "the backlog is %d", row.effective)
		if row.effective > 1000 {
			continue // what follows from it was seen with fewer
		}
		s.Step("%d clients connect; nobody calls accept.", row.effective+20)
		clients := server.ConnectInTurn(row.effective + 20)
		count := states(clients)
		_, completed := server.Queues()
		s.Show("# tcplab ss -ltn: Recv-Q "+itoa(completed)+" Send-Q "+itoa(l.Effective),
			itoa(count[netns.Established])+" ESTABLISHED, "+itoa(count[netns.SYNSent])+" SYN-SENT")
		s.Claim(count[netns.Established] == row.effective+1, "%d get in, one more than the backlog: Linux drops a SYN when the queue is longer than it", row.effective+1)
	}
	s.Say("Whoever raises a backlog has to raise net.core.somaxconn with it, and to listen again.")
}
