package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tcplab/internal/app"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
)

// browser is a page in headless Chromium.
type browser struct {
	*stage
	tab context.Context
}

// open opens the stage's page in a window of this size.
func (s *stage) open(width, height int) *browser {
	s.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, height), chromedp.UserDataDir(s.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(s.ctx, options...)
	tab, endTab := chromedp.NewContext(allocator)
	s.Cleanup(func() {
		_ = chromedp.Cancel(tab) // waits until the browser has ended
		endTab()
		endAllocator()
	})
	b := &browser{s, tab}
	b.login()
	return b
}

// login opens the printed address of the stage's page.
func (b *browser) login() {
	b.Helper()
	b.run("opening the page", chromedp.Navigate(b.guard.LoginURL()))
	b.live()
}

// live waits until the page is told what happens.
func (b *browser) live() {
	b.Helper()
	b.until("the page is live", `document.getElementById("link").dataset.state === "live"`)
}

// run does steps one after another.
func (b *browser) run(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.tab, steps...); err != nil {
		b.Fatalf("%s: %v\n%s", what, err, b.text())
	}
}

// script runs a script that returns nothing.
func script(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](text)
}

// eval is the value of an expression, or of the promise that it is.
func eval[T any](b *browser, expression string) T {
	b.Helper()
	value, err := chromedp.Run(b.tab, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits until an expression is true. The page's policy forbids a script
// to be made of a text, so it is asked from outside.
func (b *browser) until(what, expression string) {
	b.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !eval[bool](b, "Boolean("+expression+")") {
		select {
		case <-tick.C:
		case <-b.ctx.Done():
			b.Fatalf("never: %s\n%s", what, b.text())
		}
	}
}

// shows waits until the text of an element is, or contains, some text.
func (b *browser) shows(id, text string) {
	b.Helper()
	b.until(fmt.Sprintf("#%s shows %q", id, text), fmt.Sprintf("document.getElementById(%q).textContent.includes(%q)", id, text))
}

func (b *browser) is(id, text string) {
	b.Helper()
	b.until(fmt.Sprintf("#%s is %q", id, text), fmt.Sprintf("document.getElementById(%q).textContent === %q", id, text))
}

func (b *browser) click(id string) {
	b.Helper()
	b.run("clicking #"+id, chromedp.Click("#"+id))
}

// text is what the page says, for a test that has failed.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.tab), 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// Every control, with real clients, from an empty queue to a page that is served.
func TestControls(t *testing.T) {
	s := newStage(t)
	b := s.open(1280, 900)

	// Two connections fill "sum" with a backlog of 2; the third SYN is dropped.
	s.connect(2)
	b.is("n-completed", "2")
	b.shows("fullness", "2 of 2 places taken: full")
	s.connect(1)
	b.until("a SYN is dropped", `Number(document.getElementById("n-dropped").textContent) >= 1`)
	b.shows("event-list", "2 of 2 queued (incomplete 0, completed 2), sum, backlog 2")
	b.shows("ladder", "SYN dropped")
	b.shows("ladder", "2 of 2 queued")

	// One place more: its next SYN gets in, and its ladder shows the handshake.
	b.click("backlog-more")
	b.shows("result", "backlog is 3 now")
	b.is("n-completed", "3")
	b.run("choosing a connection", script(`document.querySelector("#connection-list button, #connection-list li")?.click()`))
	b.shows("ladder", "promoted")
	b.shows("ladder", "SYN")

	// The backlog typed, and refused.
	b.run("typing a backlog", chromedp.Focus("#backlog"), chromedp.SetValue("#backlog", "7"), chromedp.Click("#backlog-set"))
	b.shows("result", "backlog is 7 now")
	b.run("typing nonsense", chromedp.Focus("#backlog"), chromedp.SetValue("#backlog", "many"), chromedp.Click("#backlog-set"))
	b.until("the refusal is shown", `document.getElementById("result").classList.contains("bad")`)
	b.click("backlog-less")

	b.run("choosing a profile", script(`{ const p = document.getElementById("profile"); p.value = "bsd"; p.dispatchEvent(new Event("change")); }`))
	b.shows("rule", "bsd: incomplete + completed <=")

	b.click("accept-one")
	b.is("n-accepted", "1")
	b.is("n-completed", "2")

	b.run("a rate", chromedp.Click("label:has(#accept-rate)"), chromedp.Focus("#rate"), chromedp.SetValue("#rate", "50/s"), chromedp.Click("#rate-set"))
	b.shows("accept-now", "at 50/s")
	b.is("n-completed", "0")
	b.run("accept at once", chromedp.Click("label:has(#accept-auto)"))
	b.shows("accept-now", "at once")
	if err := s.get(); err != nil {
		t.Error(err)
	}
	b.is("n-accepted", "4")
	b.run("accept never", chromedp.Click("label:has(#accept-off)"))
	b.shows("accept-now", "by hand")

	before := eval[string](b, `getComputedStyle(document.body).backgroundColor`)
	b.click("theme")
	b.until("the colours change", fmt.Sprintf("getComputedStyle(document.body).backgroundColor !== %q", before))

	relative := eval[string](b, `document.getElementById("ladder").textContent`)
	b.click("absolute")
	b.until("the numbers change", fmt.Sprintf(`document.getElementById("ladder").textContent !== %q`, relative))

	for filter, want := range map[string]string{"dropped": "dropped", "accepted": "accepted"} {
		b.run("filtering", script(fmt.Sprintf(`{ const f = document.getElementById("filter"); f.value = %q; f.dispatchEvent(new Event("change")); }`, filter)))
		b.shows("connection-list", want)
	}

	if capture := b.download("download"); len(capture) < 1000 || !bytes.HasPrefix(capture, []byte("\n\r\r\n")) {
		t.Errorf("the capture has %d bytes, and begins with %q", len(capture), capture[:min(4, len(capture))])
	}
}

// The keyboard alone reaches and works a control.
func TestKeyboard(t *testing.T) {
	s := newStage(t)
	b := s.open(360, 740)
	s.connect(1)
	b.is("n-completed", "1")
	for range 60 {
		b.run("Tab", chromedp.KeyEvent(kb.Tab))
		if eval[string](b, `document.activeElement.id`) == "accept-one" {
			b.run("Enter", chromedp.KeyEvent(kb.Enter))
			b.is("n-accepted", "1")
			if eval[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
				t.Error("the page is wider than a phone")
			}
			return
		}
	}
	t.Errorf("Tab does not reach the button\n%s", b.text())
}

// When the instance ends, the page says so, and asks the next one nothing until
// it is opened with that one's token.
func TestEndsWithItsInstance(t *testing.T) {
	s := newStage(t)
	b := s.open(1280, 800)
	s.connect(1)
	b.is("n-completed", "1")
	addr := strings.TrimSuffix(strings.TrimPrefix(s.guard.URL("/"), "http://"), "/")
	s.down()
	b.shows("banner", "was taken down")
	s.up(addr)
	b.run("loading the page again", chromedp.Reload())
	if text := b.text(); !strings.Contains(text, "the token is missing or wrong") {
		t.Errorf("the next instance serves the page of the one before: %s", text)
	}
	b.login()
	b.is("n-completed", "0")
	s.connect(1)
	b.is("n-completed", "1")
}

// Under a flood the page goes on, says what it leaves out, and the instance
// serves a real client.
func TestFlood(t *testing.T) {
	s := newStage(t)
	settings := map[string]string{"profile": profiles.Linux.Name, "backlog": "128", "accept": app.Auto.String()}
	if err := s.ep.Set(settings); err != nil {
		t.Fatal(err)
	}
	b := s.open(1280, 800)
	flooding, stop := context.WithCancel(s.ctx)
	defer stop()
	flooded := make(chan error, 1)
	go func() {
		sent, err := s.ns.Flood(flooding, netns.Flood{To: server, Rate: 10_000})
		if err == nil && sent == 0 {
			err = errors.New("nothing was sent")
		}
		flooded <- err
	}()
	b.shows("fullness", "incomplete queue full")
	b.until("events are left out", `/not shown|more/.test(document.getElementById("event-list").textContent + document.getElementById("losses").textContent)`)
	// Its SYNs and its request compete with the flood's packets: on a busy machine
	// the server gives up on the request before it arrives (ReadHeaderTimeout).
	for err := s.get(); err != nil; err = s.get() {
		if s.ctx.Err() != nil {
			t.Fatalf("a real client: %v", err)
		}
	}
	b.until("the client was accepted", `Number(document.getElementById("n-accepted").textContent) >= 1`)
	stop()
	if err := <-flooded; err != nil {
		t.Error(err)
	}
}
