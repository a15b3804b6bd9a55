package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/handshake"
)

var connectTimeoutLab = &Lab{
	Name:  "connect-timeout",
	Title: "An address that accepts no connection and refuses none: only a connect timeout ends it",
	About: `Tests of client libraries need an address whose connect(2) hangs. A server that accepts and then says nothing is not one: the kernel completes the handshake for it, and it is the read timeout that ends the wait. An address that nobody has depends on the network. A full accept queue is one: it neither accepts nor refuses.

A program with a read timeout alone hangs there, for as long as its kernel sends SYNs: two minutes on Linux. In a Go test, import tcplab/tcplabtest and take addr := tcplabtest.FullListener(t).`,
	Needs: []Program{{"curl", "curl"}},
	run:   connectTimeout,
}

func connectTimeout(s *Scene) {
	s.Step("A server's queue is full.")
	server := s.Up(" --backlog 1 --accept off", func(c *endpoint.Config) { c.Backlog.Backlog, c.Accept = 1, app.Off })
	server.ConnectInTurn(2)
	server.WaitFor(handshake.Promoted, 2)
	url := fmt.Sprintf("http://%v/", server.addr.Addr())

	s.Step("curl with a connect timeout of two seconds.")
	code, out := server.curl("--connect-timeout", "2", "--max-time", "30", url)
	s.Show("$ curl --connect-timeout 2 --max-time 30 "+url, out)
	s.Claim(code == 28, "its connect timeout ends it: exit code 28")

	s.Step("A program that has a read timeout of half a second, and no connect timeout.")
	hangs, err := server.readTimeout(3 * time.Second)
	s.Show(fmt.Sprint("after 3 s: ", err))
	s.Claim(hangs, "it hangs still after three seconds, when we end it: there is nothing yet to read from")

	s.Step("The same program against a server with room in its queue, and no accept: its connect succeeds.")
	server = s.Up(" --accept off", func(c *endpoint.Config) { c.Accept = app.Off })
	hangs, err = server.readTimeout(patience)
	s.Show(fmt.Sprint(err))
	s.Claim(!hangs && err != nil, "here the read timeout ends it: queued is connected")
}

// readTimeout asks for the page with a read timeout of half a second and no
// connect timeout. hangs says that limit ended it.
func (v *Server) readTimeout(limit time.Duration) (hangs bool, err error) {
	ctx, cancel := context.WithTimeout(v.s.ctx, limit)
	defer cancel()
	transport := v.ns.Transport(ctx, v.addr)
	transport.ResponseHeaderTimeout = 500 * time.Millisecond
	client := http.Client{Transport: transport}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%v/", v.addr), nil)
	v.s.must("asking for a page", err)
	response, err := client.Do(request)
	v.s.must("asking for a page", v.s.ctx.Err())
	if err == nil {
		_ = response.Body.Close()
	}
	return errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil, err
}
