package webguard

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"9100": "127.0.0.1:9100", ":9100": "127.0.0.1:9100", "localhost:9100": "127.0.0.1:9100",
		"127.0.0.1:0": "127.0.0.1:0", "[::1]:80": "[::1]:80", "0.0.0.0:1": "0.0.0.0:1", "[::]:1": "[::]:1",
		"192.0.2.1:9100": "192.0.2.1:9100", "[::ffff:127.0.0.1]:1": "127.0.0.1:1",
	} {
		if addr, err := Parse(text); err != nil || addr.String() != want {
			t.Errorf("Parse(%q) is %v, %v; want %s", text, addr, err, want)
		}
	}
	for _, text := range []string{"", ":", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "-1", "::1:80", "example.org:80", "127.0.0.1:http"} {
		if addr, err := Parse(text); err == nil || !strings.Contains(err.Error(), "give an address") {
			t.Errorf("Parse(%q) is %v, %v; want an error that says what to give", text, addr, err)
		}
	}
}

// serve starts a guard for programs whose handler answers "served".
func serve(t *testing.T, addr string) *Guard {
	t.Helper()
	return start(t, Listen, addr)
}

// servePage starts one for a page.
func servePage(t *testing.T, addr string) *Guard {
	t.Helper()
	return start(t, ListenPage, addr)
}

func start(t *testing.T, listen func(string, netip.AddrPort) (*Guard, error), addr string) *Guard {
	t.Helper()
	g, err := listen("--test", netip.MustParseAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	g.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") }))
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// answer is what came back, without its body.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
}

// ask sends a request that change has altered. It follows no redirection.
func ask(t *testing.T, method, url string, change func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	return answer{got.StatusCode, got.Header, got.Cookies()}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func TestLoopbackNeedsNoToken(t *testing.T) {
	g := serve(t, "127.0.0.1:0")
	if g.Token() != "" {
		t.Errorf("the token is %q, want none", g.Token())
	}
	for name, c := range map[string]struct {
		method string
		change func(*http.Request)
		want   int
	}{
		"plain":               {"GET", nil, 200},
		"localhost":           {"GET", host("localhost:1"), 200},
		"IPv6":                {"GET", host("[::1]"), 200},
		"rebound name":        {"GET", host("evil.example:80"), 403},
		"name with localhost": {"GET", host("localhost.evil.example"), 403},
		"other address":       {"GET", host("192.0.2.1"), 403},
		"post of a program":   {"POST", nil, 200},
		"post of a page":      {"POST", header("Origin", "http://evil.example"), 403},
		"post across sites":   {"POST", header("Sec-Fetch-Site", "cross-site"), 403},
		"post of our page":    {"POST", header("Origin", strings.TrimSuffix(g.URL(""), "/")), 200},
	} {
		if got := ask(t, c.method, g.URL("/"), c.change); got.status != c.want {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
	}
}

func TestOtherAddressesNeedTheToken(t *testing.T) {
	g := serve(t, "0.0.0.0:0")
	if len(g.Token()) < minToken {
		t.Fatalf("the token is %q", g.Token())
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"none":       {nil, 401},
		"wrong":      {header("Authorization", "Bearer x"), 401},
		"right":      {header("Authorization", "Bearer "+g.Token()), 200},
		"lower case": {header("Authorization", "bearer "+g.Token()), 200},
		"basic":      {header("Authorization", "Basic "+g.Token()), 401},
		"query":      {func(r *http.Request) { r.URL.RawQuery = "token=" + g.Token() }, 401},
	} {
		got := ask(t, "GET", g.URL("/"), c.change)
		if got.status != c.want {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
		if c.want == 401 && got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", name)
		}
	}
}

func TestGivenToken(t *testing.T) {
	t.Setenv(TokenVariable, "short")
	if _, err := Listen("--test", netip.MustParseAddrPort("0.0.0.0:0")); err == nil || !strings.Contains(err.Error(), "at least 16") {
		t.Errorf("a short token: %v", err)
	}
	t.Setenv(TokenVariable, "a token with blanks in it")
	if _, err := Listen("--test", netip.MustParseAddrPort("0.0.0.0:0")); err == nil || !strings.Contains(err.Error(), "letters and digits") {
		t.Errorf("a token with blanks: %v", err)
	}
	t.Setenv(TokenVariable, "0123456789abcdef")
	for _, g := range []*Guard{serve(t, "0.0.0.0:0"), servePage(t, "127.0.0.1:0")} {
		if g.Token() != "0123456789abcdef" {
			t.Errorf("the token is %q", g.Token())
		}
	}
}

func TestErrorsOfListen(t *testing.T) {
	g := serve(t, "127.0.0.1:0")
	_, err := Listen("--test", g.Addr())
	if !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), "--test 127.0.0.1:") || !strings.Contains(err.Error(), "choose another") {
		t.Errorf("a port in use: %v", err)
	}
	_, err = Listen("--test", netip.MustParseAddrPort("192.0.2.99:0"))
	if !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "of this machine") {
		t.Errorf("an address of nobody's: %v", err)
	}
	unused, err := Listen("--test", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unused.Close(); err != nil {
		t.Errorf("closing before Serve: %v", err)
	}
}

// A stream without an end does not hold up Close.
func TestCloseCutsStreams(t *testing.T) {
	g, err := Listen("--test", netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	g.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, g.URL("/"), nil)
	stream, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	<-ended
}
