package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/jsonapi"
)

// How long an instance may take to answer.
const (
	answerTime = 10 * time.Second
	downTime   = 30 * time.Second
)

// Client talks to a running instance.
type Client struct {
	dev  string
	at   address
	http http.Client
}

// Name is a name for files about the instance: it tells equally named interfaces
// in different network namespaces apart.
func (c *Client) Name() string { return c.at.name() }

// NewClient makes a client of the instance on dev, in the network namespace of
// the calling thread. That there is none shows at the first request.
func NewClient(dev string) (*Client, error) {
	a, err := locate(dev)
	if err != nil {
		return nil, err
	}
	c := &Client{dev: dev, at: a}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.at.path())
		},
	}
	return c, nil
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
	return ask[Stopped](ctx, c, downTime, http.MethodPost, "/v1/down", nil)
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
	response, err := c.send(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return c.explain(ctx, err)
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var record events.Record
		switch err := lines.Decode(&record); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.explain(ctx, err)
		}
		if err := each(&record); err != nil {
			return err
		}
	}
}

// ask sends a request and reads its answer, within a time.
func ask[T any](ctx context.Context, c *Client, limit time.Duration, method, target string, in any) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	response, err := c.send(ctx, method, target, in)
	if err != nil {
		return answer, c.explain(ctx, err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, c.explain(ctx, err)
	}
	return answer, nil
}

// send sends a request. A status of 400 or more is a *ServerError.
func (c *Client) send(ctx context.Context, method, target string, in any) (*http.Response, error) {
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
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 400 {
		return response, nil
	}
	defer response.Body.Close()
	var f jsonapi.Failure
	if json.NewDecoder(io.LimitReader(response.Body, maxBody)).Decode(&f) != nil || f.Error == "" {
		f.Error = "the instance answered " + response.Status
	}
	return nil, &ServerError{Status: response.StatusCode, Text: f.Error}
}

// explain says what an error of a request means, and what to do.
func (c *Client) explain(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*ServerError](err); ok {
		return refused
	}
	switch {
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		here, elsewhere := running()
		return &NotRunningError{Dev: c.dev, Here: here, Elsewhere: elsewhere}
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the control socket %s belongs to another user: use sudo: %w", c.at.path(), err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		_, pid, _ := probe(c.at.path())
		return &SilentError{Dev: c.dev, PID: pid}
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return fmt.Errorf("the instance on %s ended before it answered: see tcplab status --dev %s", c.dev, c.dev)
	}
	return fmt.Errorf("talking to the instance on %s: %w", c.dev, err)
}
