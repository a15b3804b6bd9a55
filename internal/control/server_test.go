package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/trace"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// instance is an Instance that says what it was asked.
type instance struct {
	hub   events.Hub
	trace trace.Recorder
	asks  chan string
}

func (i *instance) Status(limit int) endpoint.Status {
	i.asks <- fmt.Sprintf("status %d", limit)
	return endpoint.Status{Dev: "tcplab0", Listeners: []endpoint.ListenerStatus{{Rule: "a <= b"}}}
}

func (i *instance) Counters() endpoint.Counters {
	i.asks <- "counters"
	return endpoint.Counters{Dev: "tcplab0", Counters: map[string]uint64{"TcpOutRsts": 1 << 63}}
}

func (i *instance) Sockets(limit int) endpoint.Sockets {
	i.asks <- fmt.Sprintf("sockets %d", limit)
	return endpoint.Sockets{Sockets: []endpoint.Socket{{State: "LISTEN"}}, MoreConnections: 3}
}

func (i *instance) Accept(_ context.Context, n int) (endpoint.Taken, error) {
	i.asks <- fmt.Sprintf("accept %d", n)
	if n < 1 {
		return endpoint.Taken{}, errors.New("give at least 1")
	}
	return endpoint.Taken{Asked: n, Taken: 1}, nil
}

func (i *instance) Set(changes map[string]string) error {
	i.asks <- fmt.Sprintf("set %v", changes)
	if changes["backlog"] == "x" {
		return errors.New("backlog=x: give a number")
	}
	return nil
}

func (i *instance) Subscribe(size int, kinds events.Kinds) *events.Subscription {
	s := i.hub.Subscribe(size, kinds)
	i.asks <- "subscribe"
	return s
}

func (i *instance) Replay(size int, kinds events.Kinds) *events.Subscription {
	s := i.hub.Replay(size, kinds)
	i.asks <- "replay"
	return s
}

func (i *instance) Trace(size, snaplen int) *trace.Subscription {
	s := i.trace.Subscribe(size, snaplen)
	i.asks <- fmt.Sprintf("trace %d", snaplen)
	return s
}

func (i *instance) publish(kind handshake.Kind) {
	i.hub.Publish(listener.Event{Time: time.Now(), Event: handshake.Event{Kind: kind, Profile: profiles.BSD}})
}

// serve starts a server with an instance, and a client of it.
func serve(t *testing.T) (*Server, *Client, *instance) {
	t.Helper()
	runDir(t)
	s := mustClaim(t, "tcplab0")
	i := &instance{asks: make(chan string, 100)}
	s.Serve(i)
	return s, newClient(t), i
}

func newClient(t *testing.T) *Client {
	t.Helper()
	c, err := NewClient("tcplab0", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked is what the instance was asked next.
func (i *instance) asked(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-i.asks:
		if got != want {
			t.Errorf("the instance was asked for %s, want %s", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("the instance was not asked for %s", want)
	}
}

func TestRequests(t *testing.T) {
	_, client, instance := serve(t)
	status, err := client.Status(t.Context(), 7)
	if err != nil || status.Dev != "tcplab0" || status.Listeners[0].Rule != "a <= b" {
		t.Errorf("status %+v, %v", status, err)
	}
	instance.asked(t, "status 7")

	values, err := client.Counters(t.Context())
	if err != nil || values.Dev != "tcplab0" || values.Counters["TcpOutRsts"] != 1<<63 {
		t.Errorf("counters %+v, %v", values, err)
	}
	instance.asked(t, "counters")

	sockets, err := client.Sockets(t.Context(), 5)
	if err != nil || sockets.MoreConnections != 3 || len(sockets.Sockets) != 1 || sockets.Sockets[0].State != "LISTEN" || sockets.Sockets[0].Peer.IsValid() {
		t.Errorf("sockets %+v, %v", sockets, err)
	}
	instance.asked(t, "sockets 5")

	taken, err := client.Accept(t.Context(), 3)
	if err != nil || taken.Asked != 3 || taken.Taken != 1 {
		t.Errorf("accept %+v, %v", taken, err)
	}
	instance.asked(t, "accept 3")

	if _, err := client.Set(t.Context(), map[string]string{"backlog": "16"}); err != nil {
		t.Error(err)
	}
	instance.asked(t, "set map[backlog:16]")
	instance.asked(t, "status 0")

	_, err = client.Set(t.Context(), map[string]string{"backlog": "x"})
	var refused *ServerError
	if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || err.Error() != "backlog=x: give a number" {
		t.Errorf("a refused setting: %v", err)
	}
}

// Whatever is asked, the answer is JSON and says what is wrong.
func TestRequestsThatMakeNoSense(t *testing.T) {
	_, client, _ := serve(t)
	for _, test := range []struct {
		method, target string
		body           any
		status         int
		want           string
	}{
		{"GET", "/", nil, 404, "unknown to this instance"},
		{"GET", "/v2/status", nil, 404, "GET /v2/status is unknown"},
		{"POST", "/v1/status", nil, 404, "POST /v1/status is unknown"},
		{"GET", "/v1/status?limit=-1", nil, 400, `limit "-1"`},
		{"GET", "/v1/status?limit=x", nil, 400, `limit "x"`},
		{"GET", "/v1/sockets?limit=x", nil, 400, `limit "x"`},
		{"GET", "/v1/events?kinds=x", nil, 400, `unknown kind of event "x"`},
		{"GET", "/v1/events?keep=0", nil, 400, `keep "0": give how many events wait for you, 1 to 4096`},
		{"GET", "/v1/events?every=1h", nil, 400, `every "1h": give a time from 0 to 10s`},
		{"GET", "/v1/events?recent=x", nil, 400, `recent "x": give too, or only`},
		{"GET", "/v1/capture?snaplen=63", nil, 400, `snaplen "63": give 64 to 262144 bytes`},
		{"POST", "/v1/accept", nil, 400, "not what /v1/accept takes"},
		{"POST", "/v1/accept", "three", 400, "not what /v1/accept takes"},
		{"POST", "/v1/accept", map[string]int{"m": 3}, 400, "unknown field"},
		{"POST", "/v1/accept", acceptRequest{0}, 400, "give at least 1"},
		{"POST", "/v1/set", []int{1}, 400, "not what /v1/set takes"},
		{"POST", "/v1/set", map[string]string{"a": strings.Repeat("a", maxBody)}, 400, "too large"},
	} {
		response, err := client.send(t.Context(), answerTime, test.method, test.target, test.body)
		var refused *ServerError
		if !errors.As(err, &refused) || refused.Status != test.status || !strings.Contains(refused.Text, test.want) {
			t.Errorf("%s %s: %v, want %d with %q", test.method, test.target, err, test.status, test.want)
		}
		if err == nil {
			response.Body.Close()
		}
	}
}

func TestDownAnswersWhenAllIsGone(t *testing.T) {
	server, client, _ := serve(t)
	path := socketPath(t, "tcplab0")
	type result struct {
		stopped Stopped
		err     error
	}
	results := make(chan result)
	go func() {
		stopped, err := client.Down(t.Context())
		if _, statErr := os.Lstat(path); !errors.Is(statErr, fs.ErrNotExist) {
			err = errors.Join(err, errors.New("answered while the socket was still there"))
		}
		results <- result{stopped, err}
	}()
	<-server.Asked()
	select {
	case r := <-results:
		t.Fatalf("answered too early: %+v", r)
	default:
	}
	if err := server.Close(Stopped{Totals: map[string]uint64{"Accepts": 5}}); err != nil {
		t.Fatal(err)
	}
	if r := <-results; r.err != nil || r.stopped.Totals["Accepts"] != 5 {
		t.Errorf("%+v", r)
	}
	if _, err := client.Down(t.Context()); !errors.As(err, new(*NotRunningError)) {
		t.Errorf("asking again: %v, want that nobody runs", err)
	}
}

func TestEventsAreStreamed(t *testing.T) {
	server, client, instance := serve(t)
	got := make(chan string)
	ended := make(chan error)
	go func() {
		ended <- client.Events(t.Context(), "accepted,expired", func(r *events.Record) error {
			got <- r.Kind
			return nil
		})
	}()
	instance.asked(t, "subscribe")
	instance.publish(handshake.SYNDropped)
	instance.publish(handshake.Accepted)
	if kind := <-got; kind != "accepted" { // at once, not when a buffer is full
		t.Errorf("got %s first, want accepted", kind)
	}
	instance.publish(handshake.Expired)
	if kind := <-got; kind != "expired" {
		t.Errorf("got %s, want expired", kind)
	}
	instance.hub.Close()
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}

// Whoever looks now and then gets the newest events and the number of the others.
func TestNewestEvents(t *testing.T) {
	server, client, instance := serve(t)
	told := make(chan uint64, 100)
	ended := make(chan error)
	go func() {
		ended <- client.Newest(t.Context(), 2, time.Millisecond, func(r *events.Record) error {
			told <- 1 + r.Lost
			return nil
		})
	}()
	instance.asked(t, "subscribe")
	for range 50 {
		instance.publish(handshake.SYNDropped)
	}
	for sum := uint64(0); sum < 50; {
		sum += <-told
	}
	instance.hub.Close()
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestEventsEndWithTheClient(t *testing.T) {
	_, client, instance := serve(t)
	defer instance.hub.Close()
	ctx, cancel := context.WithCancel(t.Context())
	enough := errors.New("enough")
	go func() {
		<-instance.asks // to subscribe
		instance.publish(handshake.Accepted)
	}()
	if err := client.Events(ctx, "", func(*events.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v, want what the callback said", err)
	}
	cancel()
	if err := client.Events(ctx, "", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// Clients that send nothing, half a request, or do not read, hold up nobody.
func TestStuckClients(t *testing.T) {
	server, client, instance := serve(t)
	for _, request := range []string{
		"",
		"POST /v1/accept HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("unix", socketPath(t, "tcplab0"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	instance.asked(t, "subscribe")
	for range 20000 { // more than the socket's buffer holds
		instance.publish(handshake.SYNDropped)
	}
	if _, err := client.Status(t.Context(), 1); err != nil {
		t.Errorf("status beside stuck clients: %v", err)
	}
	instance.hub.Close()
	began := time.Now()
	if err := server.Close(Stopped{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("closing took %v beside stuck clients", took)
	}
}
