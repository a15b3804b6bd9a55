package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

var fullQueueLab = &Lab{
	Name:  "full-queue",
	Title: "Backlog 8, no accept: the next client hangs, its SYN again after 1, 3, 7 s; one accept lets it in, and it gets its page",
	About: `When the queues are full and a SYN arrives, it is ignored. No RST is sent: the condition is temporary, and the client's TCP sends its SYN again, after 1 s, then 2 s later, then 4 s. A RST would be an error from connect(2), and nobody could tell it from "no server at this port".

So the client sees neither success nor failure: it hangs. If room is made in the meantime, its next SYN is admitted and it is served, some seconds late. This is where the steps of 1 s and 3 s in latency histograms come from.`,
	run: fullQueue,
}

func fullQueue(s *Scene) {
	s.Step("A server listens with backlog 8 as 4.4BSD does, and its application calls accept for nobody.")
	server := s.Up(" --backlog 8 --accept off", func(c *endpoint.Config) { c.Accept = app.Off })

	s.Step("Thirteen clients connect, one after another: 3*8/2+1 fit.")
	clients := server.ConnectInTurn(13)
	server.WaitFor(handshake.Promoted, 13)
	s.Claim(states(clients)[netns.Established] == 13, "all thirteen are ESTABLISHED, and wait for an accept")

	s.Step("A fourteenth asks for a page with HTTP.")
	answers := server.ask()
	s.Say("Its SYN is dropped. Its kernel sends it again 1, 3 and 7 s after the first one; this takes its time, as the client's timers are its own.")
	server.WaitWithin(time.Minute, handshake.SYNDropped, 4)
	dropped := server.Events(func(e *listener.Event) bool { return e.Kind == handshake.SYNDropped })
	s.Show(eventLines(dropped)...)
	for i, want := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second} {
		at := dropped[i].Time.Sub(dropped[0].Time)
		// A timer fires late on a busy machine, never early.
		s.Claim(at >= want-50*time.Millisecond, "SYN %d comes %v after the first one, due at %v", i+1, at.Round(time.Millisecond), want)
	}
	port := dropped[0].Tuple.ClientPort
	resets := 0
	for _, p := range server.Packets(port) {
		var seg segment.Segment
		if segment.Parse(p.Data, &seg) == nil && !p.Inbound {
			resets++
		}
	}
	s.Claim(resets == 0, "not one segment was sent in answer, no RST among them")

	s.Step("The application calls accept once. That makes room for one; the client learns nothing of it until its next SYN, 15 s after the first one.")
	server.Accept(1)
	server.WaitFor(handshake.Promoted, 14)
	_, completed := server.Queues()
	s.Claim(completed == 13 && len(answers) == 0, "its SYN is admitted, it is connected, and it waits for its page behind twelve others")

	s.Step("The application calls accept for all of them.")
	taken := server.Accept(13)
	s.Claim(taken.Taken == 13 && taken.Clients[12].Port() == port, "it is the last one that accept returns: the queue is first in, first out")
	var got answer
	select {
	case got = <-answers:
	case <-s.ctx.Done():
		s.abort(s.ctx.Err())
	}
	s.Show(packetLines(server.Packets(port))...)
	s.Show(got.text)
	s.Claim(got.err == nil, "it has its page: late, and without an error")
}

// answer is what became of a request.
type answer struct {
	text string
	err  error
}

// ask begins to ask for the page of a server, with curl where that is installed.
func (v *Server) ask() <-chan answer {
	url := fmt.Sprintf("http://%v/", v.addr)
	ask := func() (string, error) { return v.get(url) }
	if _, err := exec.LookPath("curl"); err == nil {
		const format = `%{http_code} in %{time_total}s, connected after %{time_connect}s\n`
		v.s.Show("$ curl -sS -o /dev/null -w '" + format + "' " + url)
		ask = func() (string, error) {
			out, err := v.ns.Output(v.s.command("curl", "-sS", "-o", "/dev/null", "-w", format, url))
			return string(out), err
		}
	}
	answers := make(chan answer, 1)
	v.s.work.Go(func() {
		text, err := ask()
		answers <- answer{text, err}
	})
	return answers
}

// get asks for a page with a client of ours, and says in curl's manner what came.
func (v *Server) get(url string) (string, error) {
	began := time.Now()
	var connected time.Duration
	transport := v.ns.Transport(v.s.ctx, v.addr)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		connected = time.Since(began)
		return conn, err
	}
	client := http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(v.s.ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, response.Body)
	text := fmt.Sprintf("%d in %.6fs, connected after %.6fs", response.StatusCode, time.Since(began).Seconds(), connected.Seconds())
	return text, errors.Join(err, response.Body.Close())
}
