package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tcplab/internal/endpoint"
	"tcplab/internal/metrics"
	"tcplab/internal/netns"
	"tcplab/internal/webguard"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// Of thirty clients at a backlog of 8, the counters agree with the events and
// with the wire, and the sockets with the queues.
func TestCountersOfThirtyClients(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	dropped := l.watch(handshake.SYNDropped)
	dump := l.tcpdump()
	for _, c := range l.connect(30)[:13] {
		if err := c.Wait(l.ctx); err != nil {
			t.Fatal(err)
		}
	}
	segments := dump.stop()
	values := l.Counters().Counters
	// SYNs that are sent again may have come since: the events go on.
	drops := uint64(dropped.Waiting())
	if n := values["TcpExtListenDrops"]; n < 17 || n > drops || values["TcpExtListenOverflows"] != n || values["TcpLabSYNsDropped"] != n {
		t.Errorf("%d events of dropped SYNs, and %v", drops, values)
	}
	sent := uint64(count(segments, (*captured).fromServer))
	if values["TcpOutSegs"] < sent || values["TcpOutSegs"] > sent+values["TcpRetransSegs"] || values["TcpPassiveOpens"] != 13 || values["TcpCurrEstab"] != 13 || values["TcpOutRsts"] != 0 {
		t.Errorf("%d segments left, 13 clients are connected; counted %v", sent, values)
	}
	if got := uint64(len(segments)) - sent; values["TcpInSegs"] < got || values["IpInReceives"] < got {
		t.Errorf("%d segments came; counted %v", got, values)
	}
	sockets := l.Sockets(endpoint.Everything).Sockets
	if len(sockets) != 14 || sockets[0].State != "LISTEN" || sockets[0].RecvQ != 13 || sockets[0].SendQ != 8 {
		t.Errorf("sockets %+v, want LISTEN 13 8, and 13 connections", sockets)
	}
	if some := l.Sockets(5); len(some.Sockets) != 6 || some.MoreConnections != 8 {
		t.Errorf("%d sockets and %d more, want 6 and 8", len(some.Sockets), some.MoreConnections)
	}
}

// awaitSocket waits until the socket of a client is as want says.
func (l *lab) awaitSocket(client net.Addr, want string, is func(*endpoint.Socket) bool) {
	l.Helper()
	peer := client.(*net.TCPAddr).AddrPort()
	for {
		all := l.Sockets(endpoint.Everything).Sockets
		for i := range all {
			if s := &all[i]; s.Peer == netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()) && is(s) {
				return
			}
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-l.ctx.Done():
			l.Fatalf("%v does not become %s: %+v", client, want, all)
		}
	}
}

// A connection's life as ss shows it: an unread request, a response that the
// client does not read, the server's close, the client's.
func TestSocketsOfAConnection(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]netip.AddrPort{"IPv4": server, "IPv6": server6} {
		t.Run(name, func(t *testing.T) {
			l := up(t, acceptOff)
			ctx, cancel := context.WithTimeout(l.ctx, time.Minute)
			defer cancel()
			l.ctx = ctx
			conn, err := l.ns.Dial(l.ctx, to)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			const length = 8_000_000
			request := fmt.Sprintf("GET /bytes/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", length)
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			me := conn.LocalAddr()
			l.awaitSocket(me, "ESTAB with its request unread", func(s *endpoint.Socket) bool {
				return s.State == "ESTAB" && s.RecvQ == len(request) && s.SendQ == 0 && s.Local == to
			})
			if _, err := l.Accept(l.ctx, 1); err != nil {
				t.Fatal(err)
			}
			l.awaitSocket(me, "ESTAB with a response that is not acknowledged", func(s *endpoint.Socket) bool {
				return s.State == "ESTAB" && s.RecvQ == 0 && s.SendQ > 1000
			})
			if n, err := io.Copy(io.Discard, conn); err != nil || n < length {
				t.Fatalf("read %d bytes, %v", n, err)
			}
			l.awaitSocket(me, "FIN-WAIT-2, all acknowledged", func(s *endpoint.Socket) bool {
				return s.State == "FIN-WAIT-2" && s.SendQ == 0
			})
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			l.awaitSocket(me, "TIME-WAIT", func(s *endpoint.Socket) bool { return s.State == "TIME-WAIT" && s.SendQ == 0 })
			if n := l.Counters().Counters["TcpCurrEstab"]; n != 0 {
				t.Errorf("%d connections are established, want none", n)
			}
		})
	}
}

// A client that closes first, before accept, leaves CLOSE-WAIT.
func TestSocketInCloseWait(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	conn, err := l.ns.Dial(l.ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	l.awaitSocket(conn.LocalAddr(), "CLOSE-WAIT", func(s *endpoint.Socket) bool { return s.State == "CLOSE-WAIT" })
}

// Ten thousand SYNs a second: the exporter answers, clients are served by
// cookies, and each SYN that reached the endpoint is counted.
func TestMetricsUnderAFlood(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) {
		cfg.Profile, cfg.Backlog.Backlog = profiles.Linux, 128
	})
	var guard *webguard.Guard
	if err := l.ns.Do(func() (err error) {
		guard, err = webguard.Listen("--metrics", netip.MustParseAddrPort("127.0.0.1:0"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	exporter := metrics.New(l.Endpoint, "v1")
	guard.Serve(exporter.Handler())
	defer func() {
		if err := guard.Close(); err != nil {
			t.Error(err)
		}
		exporter.Close()
	}()

	type result struct {
		sent int
		err  error
	}
	flood := make(chan result, 1)
	cookies := l.watch(handshake.CookieSent)
	go func() {
		sent, err := l.ns.Flood(l.ctx, netns.Flood{To: server, Rate: 10_000, Count: 20_000})
		flood <- result{sent, err}
	}()
	l.next(cookies) // the incomplete queue is full
	cookies.Close()
	var done result
	for done.sent == 0 && done.err == nil {
		if syns := l.metric(guard, "tcplab_syns_received_total"); syns == 0 {
			t.Error("the scrape knows of no SYN")
		}
		l.run("curl", "-sS", "-m", "60", "-o", "/dev/null", "http://192.0.2.2/")
		select {
		case done = <-flood:
		default:
		}
	}
	if done.err != nil {
		t.Fatal(done.err)
	}
	l.run("ping", "-c", "1", "-W", "30", server.Addr().String()) // all before it has been read
	values := l.Counters().Counters
	seen := values["TcpLabSYNsReceived"] + values["TcpLabSYNsRepeated"] + values["TcpLabInterfaceDrops"]
	if seen < uint64(done.sent) {
		t.Errorf("%d SYNs were sent, and counted: %v", done.sent, values)
	}
	t.Logf("%d SYNs sent, %d reached LISTEN, %d lost before, %d cookies", done.sent,
		values["TcpLabSYNsReceived"], values["TcpLabInterfaceDrops"], values["TcpExtSyncookiesSent"])
}

// metric is the value of a counter in a scrape.
func (l *lab) metric(guard *webguard.Guard, name string) float64 {
	l.Helper()
	client := http.Client{Timeout: time.Minute, Transport: l.ns.Transport(l.ctx, guard.Addr())}
	r, err := http.NewRequestWithContext(l.ctx, http.MethodGet, guard.URL(metrics.Path), nil)
	if err != nil {
		l.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		l.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bufio.NewReader(answer.Body))
	if err != nil || !strings.HasPrefix(answer.Status, "200") {
		l.Fatalf("a scrape is answered with %s, %v", answer.Status, err)
	}
	return families[name].GetMetric()[0].GetCounter().GetValue()
}
