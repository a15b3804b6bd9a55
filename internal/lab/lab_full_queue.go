package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
	Title: "Backlog 8, no accept: the next client hangs, its SYN again after 1, 3, 7 s; one accept, and it gets its page",
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

	s.Step("A fourteenth asks for a page with HTTP, as curl would.")
	type answer struct {
		body string
		took time.Duration
		err  error
	}
	answers := make(chan answer, 1)
	began := time.Now()
	s.work.Go(func() {
		body, err := get(s.ctx, server)
		answers <- answer{body, time.Since(began), err}
	})
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

	s.Step("The application calls accept once, then as it should: the first thirteen are closed, and there is room.")
	server.Accept(1)
	for _, c := range clients {
		_ = c.Close() // it has waited long enough
	}
	server.Set("accept", "auto")
	s.Say("The client knows nothing of it until its next SYN, 15 s after the first one.")
	var got answer
	select {
	case got = <-answers:
	case <-s.ctx.Done():
		s.abort(s.ctx.Err())
	}
	s.Show(packetLines(server.Packets(port))...)
	s.Claim(got.err == nil && got.body != "", "the client gets its page after %v: late, and without an error (%v)", got.took.Round(100*time.Millisecond), got.err)
}

// get asks for the page of a server from its namespace.
func get(ctx context.Context, v *Server) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// With the request's context: a Transport goes on dialing when that has ended.
		DialContext: func(context.Context, string, string) (net.Conn, error) { return v.ns.Dial(ctx, v.addr) },
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%v/", v.addr), nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), errors.Join(err, response.Body.Close())
}
