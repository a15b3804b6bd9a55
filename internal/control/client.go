package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/jsonapi"
	"tcplab/internal/printable"
)

// How long an instance may take to answer.
var (
	answerTime = 10 * time.Second
	downTime   = 30 * time.Second
)

// Bounds of what an instance may answer: more is no answer of an instance.
var (
	maxAnswer int64 = 256 << 20 // bytes of JSON
	maxEvent        = 64 << 10  // bytes of an event
)

// Client talks to a running instance. It talks to nobody who is neither root nor the
// user whose instance it is, and makes every text that it is told printable.
type Client struct {
	dev   string
	at    address
	index int       // of the interface, zero if there was none
	notes io.Writer // nil: nobody is told

	mu     sync.Mutex // guards the following
	server *found     // who answered last
	told   bool       // notes know whose instance it is
}

// Name is a name for files about the instance: it tells equally named interfaces
// in different network namespaces apart.
func (c *Client) Name() string { return c.at.name() }

// NewClient makes a client of the instance on dev, in the network namespace of
// the calling thread. That there is none shows at the first request. notes hears
// once if the instance is another user's; it may be nil.
func NewClient(dev string, notes io.Writer) (*Client, error) {
	a, err := locate(dev)
	if err != nil {
		return nil, err
	}
	return &Client{dev: dev, at: a, index: interfaceIndex(dev), notes: notes}, nil
}

// interfaceIndex is the index of an interface in the network namespace of the calling
// thread, zero if there is none.
func interfaceIndex(dev string) int {
	i, err := net.InterfaceByName(dev)
	if err != nil {
		return 0
	}
	return i.Index
}

// client is for a request whose answer begins within a time.
func (c *Client) client(limit time.Duration) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives:      true,
			ResponseHeaderTimeout:  limit,
			MaxResponseHeaderBytes: 64 << 10,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return c.dial()
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial connects to the instance.
func (c *Client) dial() (net.Conn, error) {
	server, err := dial(c.at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = server
	if err != nil {
		return nil, &dialError{err}
	}
	if c.notes != nil && !c.told && server.standing() == stranger {
		fmt.Fprintf(c.notes, "tcplab: who answers for %s is process %d of user %d, who is not root: what it says may be wrong\n",
			c.dev, server.peer.Pid, server.peer.Uid)
	}
	c.told = true
	return server.conn, nil
}

// serverPID is the process that answered last, or would; zero if that is not known.
func (c *Client) serverPID() int {
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	if server == nil { // the time was over before it was connected to
		var err error
		if server, err = dial(c.at); err != nil {
			return 0
		}
		server.close()
	}
	return int(server.peer.Pid)
}

// Status asks for the state of the instance, with at most limit entries of each
// queue.
func (c *Client) Status(ctx context.Context, limit int) (endpoint.Status, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	return ask[endpoint.Status](ctx, c, answerTime, http.MethodGet, "/v1/status?"+query.Encode(), nil)
}

// Counters asks for the values of all counters.
func (c *Client) Counters(ctx context.Context) (endpoint.Counters, error) {
	return ask[endpoint.Counters](ctx, c, answerTime, http.MethodGet, "/v1/counters", nil)
}

// Sockets asks for the sockets of the instance, with at most limit half-open
// entries of a port and at most limit connections.
func (c *Client) Sockets(ctx context.Context, limit int) (endpoint.Sockets, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	return ask[endpoint.Sockets](ctx, c, answerTime, http.MethodGet, "/v1/sockets?"+query.Encode(), nil)
}

// Accept has n connections taken off the completed queue.
func (c *Client) Accept(ctx context.Context, n int) (endpoint.Taken, error) {
	return ask[endpoint.Taken](ctx, c, answerTime, http.MethodPost, "/v1/accept", acceptRequest{n})
}

// Set changes settings by name, and returns the state afterwards, without the
// entries of the queues.
func (c *Client) Set(ctx context.Context, changes map[string]string) (endpoint.Status, error) {
	return ask[endpoint.Status](ctx, c, answerTime, http.MethodPost, "/v1/set", changes)
}

// Down ends the instance and returns when its interface and its socket are gone.
func (c *Client) Down(ctx context.Context) (Stopped, error) {
	stopped, err := ask[Stopped](ctx, c, downTime, http.MethodPost, "/v1/down", nil)
	stopped.Error = lines(stopped.Error)
	if err == nil && c.interfaceRemains() {
		err = fmt.Errorf("process %d said that %s is down, but the interface is still there: it is not tcplab's, or another process has it: see ip -d link show %s",
			c.serverPID(), c.dev, c.dev)
	}
	return stopped, err
}

// interfaceRemains reports whether the interface that was there when the client was
// made still is. It cannot tell in another network namespace.
func (c *Client) interfaceRemains() bool {
	namespace, err := currentNamespace()
	return err == nil && namespace == c.at.namespace && c.index != 0 && interfaceIndex(c.dev) == c.index
}

// Events calls each with the instance's events of these kinds (names as in
// events.ParseKinds) as they come, until each returns an error, which Events
// returns, or ctx ends. It returns nil when the instance ends.
func (c *Client) Events(ctx context.Context, kinds string, each func(*events.Record) error) error {
	return c.stream(ctx, url.Values{"kinds": {kinds}}, each)
}

// Recent is Events that begins with the last events, of which the instance keeps
// events.Kept of all kinds; without follow it ends with them.
func (c *Client) Recent(ctx context.Context, kinds string, follow bool, each func(*events.Record) error) error {
	recent := "only"
	if follow {
		recent = "too"
	}
	return c.stream(ctx, url.Values{"kinds": {kinds}, "recent": {recent}}, each)
}

// Newest is Events for somebody who looks only now and then: of all that come in
// the time of every, it gets the last keep ones, and how many were lost.
func (c *Client) Newest(ctx context.Context, keep int, every time.Duration, each func(*events.Record) error) error {
	return c.stream(ctx, url.Values{"keep": {strconv.Itoa(keep)}, "every": {every.String()}}, each)
}

func (c *Client) stream(ctx context.Context, query url.Values, each func(*events.Record) error) error {
	response, err := c.send(ctx, answerTime, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var record events.Record
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			return c.explain(ctx, err)
		}
		printable.Fields(&record)
		if err := each(&record); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return c.explain(ctx, lines.Err())
	}
	return nil
}

// ask sends a request and reads its answer, within a time.
func ask[T any](ctx context.Context, c *Client, limit time.Duration, method, target string, in any) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.send(ctx, limit, method, target, in)
	if err != nil {
		return answer, c.explain(ctx, err)
	}
	defer response.Body.Close()
	body := &io.LimitedReader{R: response.Body, N: maxAnswer}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		if body.N <= 0 {
			err = fmt.Errorf("the answer is longer than %d bytes: ask for less with --limit", maxAnswer)
		}
		return answer, c.explain(ctx, err)
	}
	if _, hasLines := any(&answer).(*Stopped); !hasLines {
		printable.Fields(&answer)
	}
	return answer, nil
}

// send sends a request, whose answer begins within limit. A status of 400 or more is
// a *ServerError.
func (c *Client) send(ctx context.Context, limit time.Duration, method, target string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://tcplab"+target, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set(instanceHeader, url.PathEscape(c.at.name())) // a header takes no control characters
	response, err := c.client(limit).Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	var f jsonapi.Failure
	if json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(&f) != nil || f.Error == "" {
		f.Error = "the instance answered " + response.Status
	}
	return nil, &ServerError{Status: response.StatusCode, Text: lines(f.Error)}
}

// lines is a text of several lines, printable: those after the first one are indented,
// so that none passes for a message of ours.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i := range all {
		all[i] = printable.Line(all[i])
	}
	return strings.Join(all, "\n  ")
}

// explain says what an error of a request means, and what to do.
func (c *Client) explain(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*ServerError](err); ok {
		return refused
	}
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errDead):
		here, elsewhere := running()
		namespace, nsErr := currentNamespace()
		return &NotRunningError{Dev: c.dev, Here: here, Elsewhere: elsewhere,
			Interface: nsErr == nil && namespace == c.at.namespace && interfaceIndex(c.dev) != 0}
	case errors.Is(ctx.Err(), context.DeadlineExceeded), ctx.Err() == nil && isTimeout && timeout.Timeout():
		return &SilentError{Dev: c.dev, PID: c.serverPID()}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return fmt.Errorf("the instance on %s ended before it answered: see tcplab status --dev %s", c.dev, c.dev)
	}
	if before, ok := errors.AsType[*dialError](err); ok {
		return before.err
	}
	return fmt.Errorf("talking to the instance on %s: %w", c.dev, err)
}

// dialError is what kept the client from connecting; it has said what to do.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }
