package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tcplab/internal/app"
)

// site is a web server on the loopback interface.
type site struct {
	*app.Server
	t      *testing.T
	addr   string
	client *http.Client
}

func newSite(t *testing.T, cfg app.Config) *site {
	t.Helper()
	srv, err := app.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v", err)
		}
		_ = l.Close()
	})
	return &site{srv, t, l.Addr().String(), &http.Client{Transport: transport}}
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// do sends a request, with headers as pairs of name and value.
func (s *site) do(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.addr+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{res, string(b)}
}

func (s *site) want(a answer, status int, contains ...string) {
	s.t.Helper()
	if a.StatusCode != status {
		s.t.Fatalf("%s %s: %s, want %d\n%s", a.Request.Method, a.Request.URL, a.Status, status, a.body)
	}
	for _, text := range contains {
		if !strings.Contains(a.body, text) {
			s.t.Fatalf("%s %s: no %q in\n%s", a.Request.Method, a.Request.URL, text, a.body)
		}
	}
}

func TestPage(t *testing.T) {
	var completed atomic.Int64
	s := newSite(t, app.Config{Info: func(local net.Addr) app.Info {
		return app.Info{
			Profile: "bsd", Backlog: 8, Limit: "incomplete + completed <= 13 & more",
			Incomplete: local.(*net.TCPAddr).Port, Completed: int(completed.Load()),
		}
	}})
	_, port, _ := net.SplitHostPort(s.addr)

	text := s.do("GET", "/", nil, "Accept", "*/*", "User-Agent", "curl/8.5.0")
	s.want(text, 200, "bsd", "8", "incomplete + completed <= 13 & more", port, "accept      auto", "/bytes/N", "/sleep/D", "/upload", s.addr)
	if kind := text.Header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
		t.Fatalf("curl gets %s", kind)
	}
	html := s.do("GET", "/", nil, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	s.want(html, 200, "<!DOCTYPE html>", "bsd", "&lt;= 13 &amp; more", "/bytes/N")
	if kind := html.Header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
		t.Fatalf("a browser gets %s", kind)
	}
	head := s.do("HEAD", "/", nil)
	s.want(head, 200)
	if head.ContentLength != int64(len(text.body)) {
		t.Fatalf("HEAD says %d bytes of %d", head.ContentLength, len(text.body))
	}

	// ab takes a page of another length for a failure.
	completed.Store(4096)
	s.Gate().Set(rate(t, "1000/s"))
	for _, before := range []answer{text, html} {
		after := s.do("GET", "/", nil, "Accept", before.Request.Header.Get("Accept"))
		if len(after.body) != len(before.body) || after.body == before.body {
			t.Fatalf("the page has %d bytes, and %d with longer queues:\n%s", len(before.body), len(after.body), after.body)
		}
	}
}

func TestPageWithoutInfo(t *testing.T) {
	s := newSite(t, app.Config{})
	s.want(s.do("GET", "/", nil), 200, "tcplab at "+s.addr, "/upload")
}

func TestOtherPathsAndMethods(t *testing.T) {
	s := newSite(t, app.Config{})
	for _, path := range []string{"/nothing", "/bytes", "/bytes/1/2", "/upload/x", "/sleep/", "/index.html"} {
		s.want(s.do("GET", path, nil), 404, path, "/bytes/N", "/sleep/D", "/upload")
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"POST", "/", "GET, HEAD"},
		{"POST", "/bytes/5", "GET, HEAD"},
		{"DELETE", "/sleep/1s", "GET, HEAD"},
		{"GET", "/upload", "POST"},
		{"HEAD", "/upload", "POST"},
		{"PUT", "/upload", "POST"},
	} {
		a := s.do(tt.method, tt.path, nil)
		s.want(a, 405)
		if a.Header.Get("Allow") != tt.allow {
			t.Fatalf("%s %s: Allow %q, want %q", tt.method, tt.path, a.Header.Get("Allow"), tt.allow)
		}
	}
}

func TestBytes(t *testing.T) {
	s := newSite(t, app.Config{})
	for path, n := range map[string]int64{"/bytes/0": 0, "/bytes/1": 1, "/bytes/100": 100, "/bytes/3k": 3 << 10, "/bytes/2M": 2 << 20} {
		a := s.do("GET", path, nil)
		s.want(a, 200)
		if a.ContentLength != n || int64(len(a.body)) != n {
			t.Fatalf("%s: Content-Length %d, %d bytes", path, a.ContentLength, len(a.body))
		}
	}
	s.want(s.do("GET", "/bytes/32", nil), 200, "000000000000000\n000000000000010\n")
	if a := s.do("HEAD", "/bytes/1024G", nil); a.StatusCode != http.StatusOK || a.ContentLength != 1<<40 {
		t.Fatalf("HEAD: %s, %d bytes", a.Status, a.ContentLength)
	}
	s.want(s.do("GET", "/bytes/1024G", nil, "Range", "bytes=1048576-1048591"), 206, "000000000100000\n")
	for _, n := range []string{"x", "-1", "1.5", "1025G", "99999999999999999999", "1%20k"} {
		s.want(s.do("GET", "/bytes/"+n, nil), 400, "is no number of bytes: give 0 to 1099511627776")
	}
}

func TestSleepPath(t *testing.T) {
	s := newSite(t, app.Config{})
	s.want(s.do("GET", "/sleep/0s", nil), 200, "slept 0s")
	start := time.Now()
	s.want(s.do("GET", "/sleep/20ms", nil), 200, "slept 20ms")
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Fatalf("answered after %v", took)
	}
	for _, d := range []string{"5", "x", "-1s", "61m", "1h1ns"} {
		s.want(s.do("GET", "/sleep/"+d, nil), 400, "is no time to sleep: give 0s to 1h0m0s")
	}
}

// zeros is a body of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zero{}, n) }

type zero struct{}

func (zero) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestUpload(t *testing.T) {
	s := newSite(t, app.Config{})
	for _, n := range []int{0, 1, 5000, 1 << 20} {
		body := bytes.Repeat([]byte{'a'}, n)
		sum := sha256.Sum256(body)
		want := fmt.Sprintf(`{"bytes":%d,"sha256":"%x"}`, n, sum)
		s.want(s.do("POST", "/upload", bytes.NewReader(body)), 200, want)
		s.want(s.do("POST", "/upload", bytes.NewReader(body), "Expect", "100-continue"), 200, want)
		s.want(s.do("POST", "/upload", io.MultiReader(bytes.NewReader(body))), 200, want) // chunked
	}
}

// What comes down goes up again.
func TestHundredMegabytesEachWay(t *testing.T) {
	s := newSite(t, app.Config{Workers: 2})
	down, err := s.client.Get("http://" + s.addr + "/bytes/100M")
	if err != nil {
		t.Fatal(err)
	}
	defer down.Body.Close()
	hash := sha256.New()
	up := s.do("POST", "/upload", io.TeeReader(down.Body, hash))
	s.want(up, 200, fmt.Sprintf(`{"bytes":%d,"sha256":"%x"}`, 100<<20, hash.Sum(nil)))
}

func TestKeepAlive(t *testing.T) {
	s := newSite(t, app.Config{Workers: 1})
	var reused bool
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
	for i, path := range []string{"/", "/bytes/100k", "/nothing", "/bytes/x", "/", "/sleep/1ms"} {
		req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, "http://"+s.addr+path, nil)
		res, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if reused != (i > 0) {
			t.Fatalf("request %d, %s: connection reused: %v", i, path, reused)
		}
	}
}

// ab -k speaks HTTP/1.0 and needs a Content-Length with each page.
func TestKeepAliveOfHTTP10(t *testing.T) {
	s := newSite(t, app.Config{})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for range 3 {
		fmt.Fprintf(conn, "GET / HTTP/1.0\r\nHost: x\r\nAccept: text/html\r\nConnection: Keep-Alive\r\n\r\n")
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if n != res.ContentLength || n == 0 || res.Header.Get("Connection") != "keep-alive" {
			t.Fatalf("%d bytes, headers %v", n, res.Header)
		}
	}
}

// A client that has sent its request and closed its direction is answered.
func TestHalfClosedClient(t *testing.T) {
	s := newSite(t, app.Config{Work: 10 * time.Millisecond})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /bytes/20 HTTP/1.0\r\n\r\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 200 OK") || !strings.HasSuffix(string(got), "000000000000000\n0000") {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestPanicEndsOneConnectionOnly(t *testing.T) {
	var calls atomic.Int64
	s := newSite(t, app.Config{Workers: 1, Info: func(net.Addr) app.Info {
		if calls.Add(1) == 1 {
			panic("nothing known")
		}
		return app.Info{Profile: "sum"}
	}})
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	if got, _ := io.ReadAll(conn); len(got) != 0 {
		t.Fatalf("%q", got)
	}
	s.want(s.do("GET", "/", nil), 200, "sum")
}

// Clients come and go in any number while the gate is opened and closed: each of
// them is served.
func TestManyAtOnce(t *testing.T) {
	s := newSite(t, app.Config{Workers: 4})
	s.client.Transport.(*http.Transport).DisableKeepAlives = true
	errs := make(chan error)
	const clients = 200
	for range clients {
		go func() {
			res, err := s.client.Get("http://" + s.addr + "/bytes/10k")
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
			errs <- err
		}()
	}
	settings := []app.Accept{app.Off, rate(t, "5000/s"), app.Off, app.Auto}
	for i := range clients {
		s.Gate().Set(settings[i%len(settings)])
		s.Gate().Grant(1) // which is what Off lets in
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
