package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/handshake"
)

var refusedOrDroppedLab = &Lab{
	Name:  "refused-or-dropped",
	Title: "A closed port against a full queue: curl's two errors, nmap's closed and filtered, the packets",
	About: `A closed port answers a SYN with RST: connect(2) fails at once with ECONNREFUSED. A full queue answers nothing: connect(2) goes on until its own timeout ends it with ETIMEDOUT, or the program's.

From outside, a full queue looks like a firewall that drops: nmap calls the port filtered. Whoever reads "connection refused" in a log can rule the queue out, on systems that behave; who reads "timed out while connecting" should look at it.`,
	Needs: []Program{{"curl", "curl"}, {"nmap", "nmap"}},
	run:   refusedOrDropped,
}

func refusedOrDropped(s *Scene) {
	s.Step("A server's queue is full; port 81 beside it is closed.")
	server := s.Up(" --backlog 1 --accept off", func(c *endpoint.Config) { c.Backlog.Backlog, c.Accept = 1, app.Off })
	server.ConnectInTurn(2)
	server.WaitFor(handshake.Promoted, 2)

	closed, full := fmt.Sprintf("http://%v:81/", server.addr.Addr()), fmt.Sprintf("http://%v/", server.addr.Addr())
	s.Step("curl asks the closed port.")
	code, out := server.curl("--connect-timeout", "3", closed)
	s.Show("$ curl --connect-timeout 3 "+closed, out)
	s.Claim(code == 7, "curl exits with 7, failed to connect, at once")
	_, err := server.ns.Dial(s.ctx, netip.AddrPortFrom(server.addr.Addr(), 81))
	s.Claim(errors.Is(err, unix.ECONNREFUSED), "what connect(2) returned to it is ECONNREFUSED")

	s.Step("curl asks the full queue.")
	code, out = server.curl("--connect-timeout", "3", full)
	s.Show("$ curl --connect-timeout 3 "+full, out)
	s.Claim(code == 28, "curl exits with 28, timed out, after the three seconds that it was given")
	dropped := server.Events(nil)
	s.Show(eventLines(dropped[len(dropped)-1:])...)

	s.Step("nmap looks at both ports.")
	out = server.Output("nmap", "-sT", "-Pn", "-n", "--disable-arp-ping", "--max-retries", "1", "-p", "80,81", server.addr.Addr().String())
	s.Show("$ nmap -sT -Pn -n -p 80,81 "+server.addr.Addr().String(), out)
	s.Claim(portState(out, "81/tcp") == "closed", "nmap calls the closed port closed")
	s.Claim(portState(out, "80/tcp") == "filtered", "nmap calls the full queue filtered: nothing came back")
	s.Claim(server.resets() > 0 && server.Totals()["OutRsts"] == 0, "all RSTs are the closed port's; the listener has sent none")
}

// curl runs curl and returns its exit code and what it says.
func (v *Server) curl(args ...string) (code int, out string) {
	cmd := v.s.command("curl", append([]string{"-sS", "-o", "/dev/null", "-w", "%{http_code} after %{time_total}s\n"}, args...)...)
	text, err := v.ns.Output(cmd)
	if cmd.ProcessState == nil {
		v.s.must("running curl", err)
	}
	v.s.must("running curl", v.s.ctx.Err())
	return cmd.ProcessState.ExitCode(), string(text)
}

// portState is what nmap says of a port.
func portState(out, port string) string {
	for line := range strings.SplitSeq(out, "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == port {
			return fields[1]
		}
	}
	return ""
}
