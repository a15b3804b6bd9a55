package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// download clicks a button and returns the file that the browser saves.
func (b *browser) download(id string) []byte {
	b.Helper()
	dir, events := b.TempDir(), true
	progress := chromedp.Events(b.tab, cdpbrowser.DownloadProgress)
	b.run("allowing downloads", chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: dir, EventsEnabled: &events,
		})
		return err
	}))
	b.click(id)
	for event, err := range progress {
		if err != nil {
			b.Fatal(err)
		}
		if event.State == cdpbrowser.DownloadProgressStateCompleted {
			data, err := os.ReadFile(filepath.Join(dir, event.GUID))
			if err != nil {
				b.Fatal(err)
			}
			return data
		}
	}
	b.Fatal("the browser has gone")
	return nil
}

// secrets are what nobody may find: the token, the key and the cookie's value.
func (b *browser) secrets() []string {
	b.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Get(b.guard.LoginURL())
	if err != nil {
		b.Fatal(err)
	}
	_ = answer.Body.Close()
	client.CloseIdleConnections()
	_, key, ok := strings.Cut(answer.Header.Get("Location"), "#key=")
	if !ok || len(answer.Cookies()) != 1 {
		b.Fatalf("the printed address: %s, %v", answer.Status, answer.Header)
	}
	return []string{b.guard.Token(), key, answer.Cookies()[0].Value}
}

// The address bar, the tab's history and the page have no secret in them, and
// scripts do not reach the cookie. A reload goes on; another tab has no key.
func TestTokenIsOutOfSight(t *testing.T) {
	s := newStage(t)
	b := s.open(1280, 900)
	if at, want := eval[string](b, "location.href"), s.guard.URL("/"); at != want {
		t.Errorf("the address bar shows %s, want %s", at, want)
	}
	history, err := chromedp.Run(b.tab, func(ctx context.Context, _ *chromedp.Target) (page.GetNavigationHistoryResult, error) {
		return chromedp.Call(ctx, page.GetNavigationHistory, chromedp.Void{})
	})
	if err != nil {
		t.Fatal(err)
	}
	var entries string
	for _, entry := range history.Entries {
		entries += fmt.Sprintf("%+v\n", *entry)
	}
	if !strings.Contains(entries, s.guard.URL("/")) {
		t.Errorf("the history is %s", entries)
	}
	shown := entries + eval[string](b, "document.cookie + document.documentElement.outerHTML + document.referrer")
	for i, secret := range b.secrets() {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is to be seen: %s", []string{"the token", "the key", "the cookie"}[i], shown)
		}
	}
	b.run("loading the page again", chromedp.Reload())
	b.live()

	tab, end := chromedp.NewContext(b.tab)
	defer end()
	other := &browser{s, tab}
	other.run("opening another tab", chromedp.Navigate(s.guard.URL("/")))
	other.shows("banner", "a cookie is not enough here: open the address that tcplab up has printed")
	other.login()
}

// Another user's server on another port of this address gets the cookie, as
// cookies do not know ports. Neither that server nor its page can use it, and
// what it can do, to replace the cookie, the page says.
func TestServerAtAnotherPort(t *testing.T) {
	s := newStage(t)
	b := s.open(1280, 900)
	got := make(chan string, 1)
	replace := false
	enemy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			return
		}
		cookie, err := r.Cookie(fmt.Sprintf("tcplab-%d", s.guard.Addr().Port()))
		if err == nil && replace {
			http.SetCookie(w, &http.Cookie{Name: cookie.Name, Value: "x", Path: "/", HttpOnly: true})
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>enemy</title>")
		got <- fmt.Sprint(cookie)
	}))
	defer enemy.Close()

	b.run("visiting the other server", chromedp.Navigate(enemy.URL))
	stolen := <-got
	if !strings.Contains(stolen, b.secrets()[2]) {
		t.Fatalf("the browser sends %q to another port: this test no longer attacks anything", stolen)
	}
	for _, path := range []string{"api/set", "api/accept", "api/capture.pcapng", "api/live"} {
		r, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.guard.URL("/"+path), strings.NewReader(`{"backlog": "9"}`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(path, "live") || strings.Contains(path, "capture") {
			r.Method = http.MethodGet
		}
		r.Header.Set("Cookie", stolen)
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s with the stolen cookie: %s", path, answer.Status)
		}
	}
	for _, options := range []string{
		`{method: "POST", mode: "no-cors", credentials: "include", body: '{"backlog":"9"}'}`,
		`{method: "POST", credentials: "include", headers: {"Content-Type": "application/json", "Tcplab-Key": "x"}, body: '{"backlog":"9"}'}`,
		`{credentials: "include"}`,
	} {
		text := eval[string](b, fmt.Sprintf(`fetch(%q, %s).then(r => r.text()).catch(e => "refused: " + e)`, s.guard.URL("/api/set"), options))
		if text != "" && !strings.HasPrefix(text, "refused: ") {
			t.Errorf("the other server's page reads %q", text)
		}
	}
	if backlog := s.ep.Status(0).Listeners[0].Backlog; backlog != 2 {
		t.Errorf("the backlog is %d, want 2", backlog)
	}

	replace = true
	b.run("visiting the other server", chromedp.Navigate(enemy.URL))
	<-got
	b.run("going back", chromedp.Navigate(s.guard.URL("/")))
	if text := b.text(); !strings.Contains(text, "open the address that tcplab up has printed") {
		t.Errorf("with another cookie the page says %q", text)
	}
	b.login()
}
