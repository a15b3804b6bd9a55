package webguard

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// cookies adds cookies with the guard's name and these values.
func cookies(g *Guard, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		for _, value := range values {
			r.AddCookie(&http.Cookie{Name: g.cookieName(), Value: value})
		}
	}
}

// all makes several changes to a request.
func all(changes ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		for _, change := range changes {
			change(r)
		}
	}
}

// login opens the printed URL as a browser does, and returns what it gets: the
// cookie, and the key behind the #.
func login(t *testing.T, g *Guard) (cookie *http.Cookie, key string) {
	t.Helper()
	got := ask(t, "GET", g.LoginURL(), nil)
	key, ok := strings.CutPrefix(got.header.Get("Location"), "/#key=")
	if got.status != http.StatusSeeOther || len(got.cookies) != 1 || !ok {
		t.Fatalf("the printed address: %d, cookies %v, Location %q", got.status, got.cookies, got.header.Get("Location"))
	}
	return got.cookies[0], key
}

// Another user of the machine reaches loopback and has no token: whatever they
// send and wherever they put it, they get nothing.
func TestPageNeedsTheToken(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		g := servePage(t, addr)
		token := g.Token()
		if len(token) < 26 {
			t.Fatalf("a token of %d characters, want 128 bits of base 32", len(token))
		}
		for name, change := range map[string]func(*http.Request){
			"nothing":                 nil,
			"another token":           header("Authorization", "Bearer "+strings.Repeat("A", len(token))),
			"a prefix":                header("Authorization", "Bearer "+token[:len(token)-1]),
			"a longer one":            header("Authorization", "Bearer "+token+"A"),
			"lower case":              header("Authorization", "Bearer "+strings.ToLower(token)),
			"an empty one":            header("Authorization", "Bearer "),
			"only a scheme":           header("Authorization", "Bearer"),
			"no scheme":               header("Authorization", token),
			"basic":                   header("Authorization", "Basic "+token),
			"the token as cookie":     cookies(g, token),
			"the token as key":        header(keyHeader, token),
			"an empty cookie":         all(cookies(g, ""), header(keyHeader, "")),
			"the key alone":           header(keyHeader, string(g.key)),
			"the key as token":        header("Authorization", "Bearer "+string(g.key)),
			"the cookie as token":     header("Authorization", "Bearer "+string(g.cookie)),
			"cookie and key swapped":  all(cookies(g, string(g.key)), header(keyHeader, string(g.cookie))),
			"the cookie by its value": header("Cookie", string(g.cookie)),
		} {
			for _, request := range []struct{ method, path string }{
				{"GET", "/"}, {"HEAD", "/"}, {"GET", "/js/main.js"}, {"GET", "/api/live"}, {"GET", "/api/capture.pcapng"},
				{"POST", "/api/set"}, {"POST", "/api/accept"}, {"OPTIONS", "/api/set"}, {"GET", "/nothing"},
			} {
				if got := ask(t, request.method, g.URL(request.path), change); got.status != http.StatusUnauthorized {
					t.Errorf("%s: %s %s with %s: %d, want 401", addr, request.method, request.path, name, got.status)
				}
			}
		}
		for _, url := range []string{
			"/?token=", "/?token=x", "/?token=" + token[1:], "/?token=" + token + "x", "/?Token=" + token, "/?token=x&token=" + token,
			"/js/main.js?token=" + token, "/api/live?token=" + token, "//?token=" + token, "/" + token,
		} {
			got := ask(t, "GET", g.URL(url), nil)
			if got.status != http.StatusUnauthorized || len(got.cookies) > 0 || got.header.Get("Location") != "" {
				t.Errorf("%s: %s: %d with %v", addr, url, got.status, got.header)
			}
		}
		if got := ask(t, "POST", g.LoginURL(), nil); got.status != http.StatusUnauthorized || len(got.cookies) > 0 {
			t.Errorf("%s: a POST to the printed address: %d", addr, got.status)
		}
		for _, path := range []string{"/", "/js/main.js", "/api/live"} {
			if got := ask(t, "GET", g.URL(path), header("Authorization", "bearer "+token)); got.status != http.StatusOK {
				t.Errorf("%s: %s with the token: %d, want 200", addr, path, got.status)
			}
		}
	}
}

// The printed address gives a browser a cookie that scripts cannot read and that
// no other site's page can use, and the key.
func TestTokenBecomesACookieAndAKey(t *testing.T) {
	g := servePage(t, "127.0.0.1:0")
	cookie, key := login(t, g)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("the cookie is %v", cookie)
	}
	if cookie.Name != fmt.Sprintf("tcplab-%d", g.Addr().Port()) {
		t.Errorf("the cookie is called %s: another instance on this host would replace it", cookie.Name)
	}
	for name, secret := range map[string]string{"cookie": cookie.Value, "key": key} {
		if secret == g.Token() || len(secret) < 26 || strings.Contains(secret, g.Token()) {
			t.Errorf("the %s is %q, the token %q", name, secret, g.Token())
		}
	}
	both := all(func(r *http.Request) { r.AddCookie(cookie) }, header(keyHeader, key))
	for _, request := range []struct{ method, path string }{{"GET", "/"}, {"GET", "/api/live"}, {"POST", "/api/set"}} {
		if got := ask(t, request.method, g.URL(request.path), both); got.status != http.StatusOK {
			t.Errorf("%s %s of the page: %d", request.method, request.path, got.status)
		}
	}
	// A server at another port has set cookies of this name for other paths.
	tossed := all(cookies(g, "x", cookie.Value, "y"), header(keyHeader, key))
	if got := ask(t, "POST", g.URL("/api/set"), tossed); got.status != http.StatusOK {
		t.Errorf("with other cookies of the name beside ours: %d", got.status)
	}
	// A page that knows all and is of another origin.
	for name, change := range map[string]func(*http.Request){
		"another site": header("Sec-Fetch-Site", "cross-site"), "another port": header("Origin", "http://127.0.0.1:1"), "another name": host("evil.example"),
	} {
		if got := ask(t, "POST", g.URL("/api/set"), all(both, change)); got.status != http.StatusForbidden {
			t.Errorf("a POST from %s: %d, want 403", name, got.status)
		}
	}
	if got := ask(t, "GET", g.LoginURL(), host("evil.example")); got.status != http.StatusForbidden || len(got.cookies) > 0 {
		t.Errorf("the printed address under another name: %d", got.status)
	}
	// The next start has other secrets, whatever the token.
	t.Setenv(TokenVariable, "the-token-of-this-test")
	one, two := servePage(t, "127.0.0.1:0"), servePage(t, "127.0.0.1:0")
	if one.Token() != two.Token() || one.cookie == two.cookie || one.key == two.key {
		t.Error("two starts with one token have the same cookie or key")
	}
}

// Browsers send the cookie to every port of the host. Another user's server
// there, which the browser visits, gets nothing for it.
func TestCookieOfAnotherPortIsWorthNothing(t *testing.T) {
	g := servePage(t, "127.0.0.1:0")
	received := make(chan string, 1)
	enemy, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		received <- r.Header.Get("Cookie")
	})}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(enemy) }()
	defer func() { _ = server.Close(); <-ended }()
	cookie, _ := login(t, g)
	ask(t, "GET", "http://"+enemy.Addr().String()+"/", func(r *http.Request) { r.AddCookie(cookie) }) // as a browser does
	stolen := header("Cookie", <-received)
	for _, request := range []struct{ method, path string }{
		{"GET", "/api/live"}, {"GET", "/api/capture.pcapng"}, {"GET", "/api/connections/1"}, {"POST", "/api/set"}, {"POST", "/"},
		{"GET", "/%61pi/live"}, {"GET", "/api%2Flive"}, {"PUT", "/js/main.js"},
	} {
		if got := ask(t, request.method, g.URL(request.path), stolen); got.status != http.StatusUnauthorized {
			t.Errorf("%s %s with a stolen cookie: %d, want 401", request.method, request.path, got.status)
		}
	}
}

// No answer that refuses says anything of the secrets.
func TestRefusalsKeepTheSecrets(t *testing.T) {
	g := servePage(t, "127.0.0.1:0")
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /?token=x HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n", "x\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: localhost\r\nCookie: " + g.cookieName() + "=" + string(g.cookie) + "\r\n\r\n",
	} {
		conn := dial(t, g)
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		answer, _ := io.ReadAll(conn) // it is closed for who is refused
		for _, secret := range []secret{g.token, g.cookie, g.key} {
			if strings.Contains(string(answer), string(secret)) {
				t.Errorf("%q is answered with a secret: %s", text, answer)
			}
		}
		if len(answer) == 0 {
			t.Errorf("%q is not answered", text)
		}
		_ = conn.Close()
	}
}

func dial(t *testing.T, g *Guard) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// Clients that connect and ask nothing, many more than may stay, neither keep
// those with the token out nor cut them off.
func TestStrangersKeepNobodyOut(t *testing.T) {
	g := servePage(t, "127.0.0.1:0")
	owner := dial(t, g)
	defer owner.Close()
	reader := bufio.NewReader(owner)
	askAgain := func() {
		t.Helper()
		if _, err := fmt.Fprintf(owner, "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", g.Token()); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("the owner is answered with %d", answer.StatusCode)
		}
	}
	askAgain()
	var idle []net.Conn
	for range 4 * mostStrangers {
		idle = append(idle, dial(t, g))
	}
	for _, conn := range idle[:len(idle)-mostStrangers] { // closed, the oldest ones first
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || strings.Contains(err.Error(), "timeout") {
			t.Fatalf("a client that asks nothing is not cut off: %v", err)
		}
	}
	askAgain()
	if got := ask(t, "GET", g.URL("/"), header("Authorization", "Bearer "+g.Token())); got.status != http.StatusOK {
		t.Errorf("another connection of the owner: %d", got.status)
	}
	g.strangers.mu.Lock()
	if n := len(g.strangers.at); n > g.strangers.most || n != g.strangers.order.Len() {
		t.Errorf("%d connections of strangers, at most %d", n, g.strangers.most)
	}
	g.strangers.mu.Unlock()
	for _, conn := range idle {
		_ = conn.Close()
	}
}

// An error at the start has no token in it.
func TestListenErrorsKeepTheToken(t *testing.T) {
	t.Setenv(TokenVariable, "the-token-of-this-test")
	g := servePage(t, "127.0.0.1:0")
	if _, err := ListenPage("--ui", g.Addr()); err == nil || strings.Contains(err.Error(), "the-token-of-this-test") {
		t.Errorf("a port in use: %v", err)
	}
	if _, err := ListenPage("--ui", netip.MustParseAddrPort("192.0.2.99:0")); err == nil || strings.Contains(err.Error(), "the-token-of-this-test") {
		t.Errorf("an address of nobody's: %v", err)
	}
	t.Setenv(TokenVariable, "short-token")
	if _, err := ListenPage("--ui", netip.MustParseAddrPort("127.0.0.1:0")); err == nil || strings.Contains(err.Error(), "short-token") {
		t.Errorf("a short token: %v", err)
	}
}
