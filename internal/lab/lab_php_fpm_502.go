package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

var phpFPM502Lab = &Lab{
	Name:  "php-fpm-502",
	Title: "nginx in front of a FastCGI application with few workers: 502, 504, and the cure",
	About: `The famous line in nginx's error log, "connect() to unix:… failed (11: Resource temporarily unavailable) while connecting to upstream", is a full accept queue. On a unix socket the kernel says EAGAIN at once to a client that does not want to wait: nginx answers 502. php-fpm's workers are busy, its listen.backlog is short, and a burst of requests does the rest.

The same queue on TCP looks different. The SYN is dropped and not refused, so nginx waits for its connect timeout and answers 504, with "upstream timed out (110: Connection timed out) while connecting to upstream"; or it gets through with a later SYN and answers 200, seconds late. 502 on TCP needs a refusal: a RST, from a port that nobody listens at.

The cure is the same for both: a backlog that holds the burst (1024), and a net.core.somaxconn that allows it (2048). More workers shorten the queue; only they make it faster. listen.backlog = -1 meant "as much as the system allows", not "no limit".`,
	Needs: []Program{{"nginx", "nginx-light"}},
	run:   phpFPM502,
}

func phpFPM502(s *Scene) {
	linux, err := profiles.Lookup("linux")
	s.must("finding a profile", err)

	s.Step("(a) A FastCGI application with one worker listens at a unix socket with backlog 1; nginx is in front of it. Twelve requests come at the same time.")
	server := s.Up(" --profile linux --backlog 8 --app fastcgi --accept off", func(c *endpoint.Config) {
		c.Profile, c.App, c.Accept = linux, "fastcgi", app.Off
	})
	dir := s.TempDir()
	socket := filepath.Join(dir, "php-fpm.sock")
	what := server.unixApplication(dir, socket)
	s.Say("The application is %s.", what)
	web := server.nginx(dir, 8080, "unix:"+socket)
	answers := web.burst(12)
	s.Show(answers.String())
	line := web.logged("failed (11: Resource temporarily unavailable) while connecting to upstream")
	s.Show(line)
	s.Claim(answers[502] > 0, "%d requests were answered with 502, at once", answers[502])
	s.Claim(strings.Contains(line, "connect() to unix:"+socket+" failed (11: Resource temporarily unavailable) while connecting to upstream"), "the log has the famous line, word for word")

	s.Step("(b) A FastCGI application on TCP, behind tcplab. Its queue is full: nobody calls accept.")
	server.ConnectInTurn(9)
	server.WaitFor(handshake.Promoted, 9)
	web = server.nginx(dir, 8081, server.addr.String())
	began := time.Now()
	answers = web.burst(1)
	took := time.Since(began)
	s.Show(answers.String(), eventLines(server.Events(nil))[server.countEvents()-1])
	line = web.logged("upstream timed out (110: Connection timed out) while connecting to upstream")
	s.Show(line)
	s.Claim(answers[504] == 1 && took >= connectSeconds*time.Second, "nginx answers with 504 after %v: its connect timeout is %d s", took.Round(100*time.Millisecond), connectSeconds)
	s.Claim(line != "", "the log says upstream timed out (110: Connection timed out) while connecting to upstream")
	s.Claim(server.Totals()["ListenDrops"] > 0, "on the other side ListenDrops has moved: %d SYNs were dropped", server.Totals()["ListenDrops"])

	s.Step("(c) The same with a port that nobody listens at.")
	web = server.nginx(dir, 8082, fmt.Sprintf("%v:81", server.addr.Addr()))
	answers = web.burst(1)
	line = web.logged("failed (111: Connection refused) while connecting to upstream")
	s.Show(answers.String(), line)
	s.Claim(answers[502] == 1 && line != "", "502 at once: connection refused. A dropped SYN and a refused one are not the same")

	for _, row := range []struct {
		step               string
		backlog, somaxconn int
	}{
		{"(d) Before the cure: backlog 8, four workers, 50 ms a request; 300 requests come at the same time.", 8, 4096},
		{"The cure: backlog 1024 with net.core.somaxconn 2048, the same load.", 1024, 2048},
	} {
		s.Step("%s", row.step)
		server := s.Up(fmt.Sprintf(" --profile linux --backlog %d --somaxconn %d --app fastcgi --workers 4 --work 50ms", row.backlog, row.somaxconn),
			func(c *endpoint.Config) {
				c.Profile, c.App, c.Workers, c.Work = linux, "fastcgi", 4, 50*time.Millisecond
				c.Backlog.Backlog, c.Backlog.Somaxconn = row.backlog, row.somaxconn
			})
		web := server.nginx(dir, 8090, server.addr.String())
		answers := web.burst(300)
		drops := server.Totals()["ListenDrops"]
		s.Show(answers.String(), fmt.Sprintf("# tcplab nstat: ListenDrops %d", drops))
		if row.backlog < 100 {
			s.Claim(drops > 0 && answers[200] < 300, "%d requests fail, and %d SYNs and final ACKs were dropped", 300-answers[200], drops)
		} else {
			s.Claim(answers[200] == 300 && drops == 0, "all 300 are answered with 200, and nothing was dropped")
		}
	}

	s.Step("(e) And listen.backlog = -1, as php-fpm's configuration had it?")
	server = s.Up(" --profile linux --backlog -1 --somaxconn 128 --accept off", func(c *endpoint.Config) {
		c.Profile, c.Accept, c.Backlog.Backlog, c.Backlog.Somaxconn = linux, app.Off, -1, 128
	})
	effective := server.Status(0).Listeners[0].Effective
	s.Claim(effective == 128, "it is net.core.somaxconn, %d here: as an unsigned number -1 is larger than any limit", effective)
}

func (v *Server) countEvents() int { return len(v.Events(nil)) }

// unixApplication starts a FastCGI application with one worker and a backlog of
// 1 at a unix socket: php-fpm where it is installed, else one of our own. It
// returns what it is.
func (v *Server) unixApplication(dir, socket string) string {
	fpm := findPHPFPM()
	if fpm == "" {
		v.s.must("starting the application", v.s.serveFastCGI(socket, 1))
		return "tcplab's own, as php-fpm is not installed"
	}
	script := filepath.Join(dir, "index.php")
	config := filepath.Join(dir, "php-fpm.conf")
	v.s.must("writing a script", os.WriteFile(script, []byte("<?php usleep(300000); echo \"served\\n\";\n"), 0o644))
	v.s.must("writing php-fpm's configuration", os.WriteFile(config, fmt.Appendf(nil, `[global]
error_log = %[1]s/php-fpm.log
daemonize = no
[www]
user = root
group = root
listen = %[2]s
listen.backlog = 1
listen.mode = 0666
pm = static
pm.max_children = 1
`, dir, socket), 0o644))
	v.Start(fpm, "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", config)
	v.s.waitFor("php-fpm to listen", patience, func() bool { _, err := os.Stat(socket); return err == nil })
	return "php-fpm itself, with pm.max_children = 1 and listen.backlog = 1"
}

// findPHPFPM is the path of php-fpm, whose name has its version in it; "" if it
// is not installed.
func findPHPFPM() string {
	for _, pattern := range []string{"/usr/sbin/php-fpm*", "/usr/bin/php-fpm*", "/usr/local/sbin/php-fpm*"} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}
