package ui

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tcplab/internal/endpoint"
	"tcplab/internal/webguard"
	"tcplab/tun/tuntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves the page of an endpoint on a device in memory, behind the
// guard that "tcplab up" puts before it.
func serve(t *testing.T) (*webguard.Guard, *Server) {
	t.Helper()
	cfg := endpoint.Defaults()
	cfg.Device, cfg.Links = tuntest.New(1500), cfg.Links[:1]
	ep, err := endpoint.Up(cfg)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := webguard.ListenPage("--ui", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	server := New(ep)
	guard.Serve(server)
	t.Cleanup(func() {
		server.Close()
		if err := guard.Close(); err != nil {
			t.Error(err)
		}
		if err := ep.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return guard, server
}

// response is what came back, without its body.
type response struct {
	status int
	header http.Header
}

// ask sends a request with the token, which change has altered, and returns the
// answer with its body.
func ask(t *testing.T, guard *webguard.Guard, method, path, body string, change func(*http.Request)) (response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, guard.URL(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+guard.Token())
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{answer.StatusCode, answer.Header}, string(text)
}

func TestSecurityHeaders(t *testing.T) {
	guard, _ := serve(t)
	for _, path := range []string{"/", "/js/main.js", "/css/base.css", "/api/connections/1", "/nothing"} {
		answer, _ := ask(t, guard, "GET", path, "", nil)
		policy := answer.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", path, policy)
			}
		}
		if answer.header.Get("X-Content-Type-Options") != "nosniff" || answer.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", path, answer.header)
		}
	}
}

// The page has no script or style in its text, which the policy would forbid,
// and names no other host.
func TestPageNeedsNothingElse(t *testing.T) {
	guard, _ := serve(t)
	_, page := ask(t, guard, "GET", "/", "", nil)
	for _, never := range []string{"style=", "onclick", "<style", "//", "https:"} {
		if strings.Contains(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), never) {
			t.Errorf("the page has %q", never)
		}
	}
	for line := range strings.Lines(page) {
		if strings.Contains(line, "<script") && !strings.Contains(line, "src=\"js/") {
			t.Errorf("a script in the page: %s", line)
		}
	}
}

// Nobody but a page of this origin changes anything, whatever name it has for
// this address (DNS rebinding).
func TestWhoMayChange(t *testing.T) {
	guard, server := serve(t)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		want   int
	}{
		{"a program", nil, 200},
		{"its own page", func(r *http.Request) {
			r.Header.Set("Origin", "http://"+guard.Addr().String())
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}, 200},
		{"another origin", header("Origin", "http://evil.example"), 403},
		{"no origin", header("Origin", "null"), 403},
		{"another site", header("Sec-Fetch-Site", "cross-site"), 403},
		{"another port of this host", header("Sec-Fetch-Site", "same-site"), 403},
		{"another name", func(r *http.Request) { r.Host = "evil.example" }, 403},
		{"another name that both agree on", func(r *http.Request) {
			r.Host = "evil.example"
			r.Header.Set("Origin", "http://evil.example")
		}, 403},
		{"a form", header("Content-Type", "text/plain"), 415},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := server.instance.Set(map[string]string{"backlog": "8"}); err != nil {
				t.Fatal(err)
			}
			answer, text := ask(t, guard, "POST", "/api/set", `{"backlog": "3"}`, test.change)
			if answer.status != test.want {
				t.Errorf("%d %s, want %d", answer.status, text, test.want)
			}
			if got, want := server.instance.Status(0).Listeners[0].Backlog, map[bool]int{true: 3, false: 8}[test.want == 200]; got != want {
				t.Errorf("the backlog is %d, want %d", got, want)
			}
		})
	}
	if answer, _ := ask(t, guard, "GET", "/api/live", "", header("Sec-Fetch-Site", "cross-site")); answer.status != 403 {
		t.Errorf("a stream for another site: %d", answer.status)
	}
	if answer, _ := ask(t, guard, "GET", "/", "", func(r *http.Request) { r.Host = "evil.example" }); answer.status != 403 {
		t.Errorf("the page under another name: %d", answer.status)
	}
}

// Every user of the machine reaches loopback: without the token there is
// nothing, not even the page's files, and nothing changes.
func TestNothingWithoutTheToken(t *testing.T) {
	guard, server := serve(t)
	without := func(r *http.Request) { r.Header.Del("Authorization") }
	for _, test := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/js/main.js", ""}, {"GET", "/icon.svg", ""}, {"GET", "/api/live", ""}, {"GET", "/api/capture.pcapng", ""},
		{"GET", "/api/connections/1", ""}, {"POST", "/api/accept", `{"n": 1}`}, {"POST", "/api/set", `{"backlog": "0", "profile": "sum"}`},
	} {
		before := server.instance.Status(0).Listeners[0]
		if answer, _ := ask(t, guard, test.method, test.path, test.body, without); answer.status != http.StatusUnauthorized {
			t.Errorf("%s %s without the token: %d, want 401", test.method, test.path, answer.status)
		}
		if after := server.instance.Status(0).Listeners[0]; after.Backlog != before.Backlog || after.Profile != before.Profile {
			t.Errorf("%s %s without the token has changed the backlog to %d, %s", test.method, test.path, after.Backlog, after.Profile)
		}
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	guard, _ := serve(t)
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/api/set", `{"backlog": "x"}`, "backlog"},
		{"POST", "/api/set", `{"colour": "red"}`, "unknown setting"},
		{"POST", "/api/set", `[1]`, "not what /api/set takes"},
		{"POST", "/api/set", strings.Repeat("x", maxBody+1), "not what /api/set takes"},
		{"POST", "/api/accept", `{"n": 0}`, "at least 1"},
		{"POST", "/api/accept", `{"n": 1}`, "accept=off"},
		{"GET", "/api/connections/7", "", "not kept any more"},
		{"GET", "/api/connections/x", "", "give its number"},
		{"GET", "/api/frob", "", "unknown to this instance"},
		{"POST", "/", `{}`, "only read"},
	} {
		answer, text := ask(t, guard, test.method, test.path, test.body, nil)
		var refused struct{ Error string }
		if err := json.Unmarshal([]byte(text), &refused); err != nil || answer.status < 400 || !strings.Contains(refused.Error, test.want) {
			t.Errorf("%s %s: %d %s, want %q", test.method, test.path, answer.status, text, test.want)
		}
	}
}

// stream reads server-sent events.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	*bufio.Reader
}

func open(t *testing.T, guard *webguard.Guard, path string) *stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, guard.URL(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+guard.Token())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &stream{t, answer.Body, bufio.NewReader(answer.Body)}
}

// next is the next event with its data.
func (s *stream) next() (name, data string) {
	s.t.Helper()
	for {
		line, err := s.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream broke off: %v", err)
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "":
			return name, data
		case strings.HasPrefix(line, "event: "):
			name = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		}
	}
}

func TestLiveSaysHelloThenFramesThenBye(t *testing.T) {
	guard, server := serve(t)
	s := open(t, guard, "/api/live")
	name, data := s.next()
	var hello Hello
	if err := json.Unmarshal([]byte(data), &hello); err != nil || name != "hello" || hello.Dev != "tcplab0" || len(hello.Profiles) < 10 || hello.Frame.Ports[0].Backlog == 0 {
		t.Fatalf("first %s %v %+v", name, err, hello)
	}
	name, data = s.next()
	var frame Frame
	if err := json.Unmarshal([]byte(data), &frame); err != nil || name != "frame" || frame.Accept != "auto" {
		t.Errorf("then %s %v %+v", name, err, frame)
	}
	server.Close()
	for name == "frame" {
		name, _ = s.next()
	}
	if name != "bye" {
		t.Errorf("at the end %s, want bye", name)
	}
}

// A page that reads nothing loses frames, and is told how many events were in
// them.
func TestSlowPageLoses(t *testing.T) {
	c := &client{mailbox: make(chan told, mailbox)}
	for i := range 10 * mailbox {
		c.send(message("frame", i, 7))
	}
	var frames, lost, inLost int
	for range mailbox {
		m := <-c.mailbox
		frames++
		lost += m.lost.Frames
		inLost += m.lost.Events
	}
	if frames+lost != 10*mailbox || inLost != 7*lost || lost == 0 {
		t.Errorf("%d frames, %d lost with %d events", frames, lost, inLost)
	}
}

func TestTooManyPages(t *testing.T) {
	guard, server := serve(t)
	var clients []*client
	for range maxClients {
		c, err := server.join()
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	answer, text := ask(t, guard, "GET", "/api/live", "", nil)
	if want := fmt.Sprintf("%d pages watch this instance already", maxClients); answer.status != http.StatusServiceUnavailable || !strings.Contains(text, want) {
		t.Errorf("one more: %d %s, want %q", answer.status, text, want)
	}
	server.leave(clients[0])
	if _, err := server.join(); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

func TestAssetsAreAskedForOnce(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/js/main.js", nil)
	r.Header.Set("If-None-Match", `"`+assetsVersion+`"`)
	assets(w, r)
	if w.Code != http.StatusNotModified {
		t.Errorf("an asset that has not changed: %d", w.Code)
	}
}
