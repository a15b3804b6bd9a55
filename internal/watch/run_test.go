package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/screen"
	"tcplab/listener/handshake"
)

// source is an instance made up for tests.
type source struct {
	mu     sync.Mutex // guards the following
	scene  *scene
	err    error
	asked  []string
	events chan *events.Record // closed when the instance ends

	onStatus func() // nil: nothing
}

func newSource() *source { return &source{scene: full13(), events: make(chan *events.Record, 1000)} }

func (s *source) Status(_ context.Context, _ int) (endpoint.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onStatus != nil {
		s.onStatus()
	}
	return s.scene.status(), s.err
}

func (s *source) Newest(ctx context.Context, _ int, _ time.Duration, each func(*events.Record) error) error {
	s.mu.Lock()
	stream := s.events
	s.mu.Unlock()
	for {
		select {
		case r, ok := <-stream:
			if !ok {
				return nil
			}
			if err := each(r); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *source) Set(_ context.Context, changes map[string]string) (endpoint.Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprint(changes))
	if n := changes["backlog"]; n != "" {
		if _, err := fmt.Sscan(n, &s.scene.settings.Backlog); err != nil {
			return endpoint.Status{}, err
		}
	}
	return s.scene.status(), s.err
}

func (s *source) Accept(_ context.Context, n int) (endpoint.Taken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("accept %d", n))
	return endpoint.Taken{Asked: n, Taken: n, Left: 8}, s.err
}

// change changes what the source tells.
func (s *source) change(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// view is a Run at a terminal.
type view struct {
	*testing.T
	*screen.Screen
	ctx    context.Context // ends long after the test should have
	cancel context.CancelFunc
	ended  chan error
}

// show runs a view of a source until the test ends.
func show(t *testing.T, s *source) *view {
	t.Helper()
	term, err := screen.New(80, 24)
	if err != nil {
		t.Fatal(err)
	}
	v := &view{T: t, Screen: term, ended: make(chan error, 1)}
	var done context.CancelFunc
	v.ctx, done = context.WithTimeout(context.Background(), 2*time.Minute)
	ctx, cancel := context.WithCancel(v.ctx)
	v.cancel = cancel
	go func() {
		v.ended <- Run(ctx, Config{Dev: "tcplab0", Source: s, Interval: 10 * time.Millisecond}, term.TTY, term.TTY)
		close(v.ended)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-v.ended; err != nil { // nil where the test has read it
			t.Logf("the view ended with %v", err)
		}
		done()
		term.Close()
	})
	return v
}

func (v *view) await(texts ...string) {
	v.Helper()
	if err := v.Await(v.ctx, texts...); err != nil {
		v.Fatal(err)
	}
}

func (v *view) press(keys string) {
	v.Helper()
	if err := v.Type(keys); err != nil {
		v.Fatal(err)
	}
}

// restored checks that Run ended with err and left the terminal as it was.
func (v *view) restored(before any, want error) {
	v.Helper()
	select {
	case err := <-v.ended:
		if want == nil && err != nil || want != nil && err == nil {
			v.Errorf("ended with %v, want %v", err, want)
		}
	case <-v.ctx.Done():
		v.Fatal("the view does not end")
	}
	after, err := v.Modes()
	if err != nil || any(after) != before {
		v.Errorf("modes %+v (%v), want %+v", after, err, before)
	}
	err = v.AwaitThat(v.ctx, func(string) bool { return !v.Alternate() && !v.CursorHidden() })
	if err != nil {
		v.Errorf("the alternate screen is left on, or the cursor hidden: %v", err)
	}
}

func TestViewShowsAndActs(t *testing.T) {
	s := newSource()
	v := show(t, s)
	before, _ := v.Modes()
	v.await("13 of 13, full", "backlog 8", "no events yet")
	s.events <- s.scene.event(0, handshake.SYNDropped, "SYN dropped", "13 of 13 queued", 41234)
	v.await("192.0.2.1:41234  SYN dropped: 13 of 13 queued")
	v.press("+")
	v.await("backlog 9", "13 of 14")
	v.press("32\r")
	v.await("backlog 32", "13 of 49")
	v.press("a")
	v.await("accepted 1, completed queue: 8")
	v.press("?")
	v.await("Any key closes this.")
	v.press("x")
	v.await("events")
	v.press("q")
	v.restored(before, nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := strings.Join(s.asked, ", "); got != "map[backlog:9], map[backlog:32], accept 1" {
		t.Errorf("the instance was asked for %s", got)
	}
}

// The terminal is as it was before, however the view ends.
func TestTerminalIsRestored(t *testing.T) {
	for name, end := range map[string]func(*view, *source){
		"Ctrl-C":           func(v *view, _ *source) { v.press("\x03") },
		"the context ends": func(v *view, _ *source) { v.cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource()
			term, err := screen.New(80, 24)
			if err != nil {
				t.Fatal(err)
			}
			before, _ := term.Modes()
			term.Close()
			v := show(t, s)
			v.await("13 of 13, full")
			if now, _ := v.Modes(); now == before || !v.Alternate() {
				t.Error("the view changes nothing that it would have to restore")
			}
			end(v, s)
			v.restored(before, nil)
		})
	}
}

// A terminal that is gone ends the view, whether or not a signal says so.
func TestTerminalThatIsGone(t *testing.T) {
	v := show(t, newSource())
	v.await("13 of 13, full")
	if err := v.HangUp(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-v.ended:
		t.Logf("it ends with %v", err) // reading may fail first, or writing
	case <-v.ctx.Done():
		t.Fatal("the view does not end")
	}
}

func TestInstanceGoneAndBack(t *testing.T) {
	s := newSource()
	v := show(t, s)
	v.await("13 of 13, full")
	s.change(func() { s.err = errors.New("nobody is there"); close(s.events) })
	v.await("tcplab0 is not there since", "nobody is there", "13 of 13, full")
	s.change(func() {
		s.err, s.scene.incomplete, s.events = nil, 0, make(chan *events.Record, 10)
	})
	v.await("the instance on tcplab0 answers again", "9 of 13")
	s.change(func() { s.events <- s.scene.event(0, handshake.Accepted, "accepted", "waited 1s", 45678) })
	v.await("192.0.2.1:45678  accepted: waited 1s")
}

// More events than can be kept between two looks are counted.
func TestManyEvents(t *testing.T) {
	s := newSource()
	r := s.scene.event(0, handshake.SYNDropped, "SYN dropped", "13 of 13 queued", 41234)
	r.Lost = 1_000_000
	for range 1000 {
		s.events <- r
	}
	v := show(t, s)
	v.await("1000000", "came too fast to be shown")
}

func TestNobodyRuns(t *testing.T) {
	s := newSource()
	s.err = errors.New("nobody is there")
	v := show(t, s)
	if err := <-v.ended; !errors.Is(err, s.err) {
		t.Errorf("error %v, want %v", err, s.err)
	}
	if written := v.Written(); written != "" {
		t.Errorf("written %q before it failed", written)
	}
	if _, err := Once(t.Context(), Config{Source: s, Interval: time.Millisecond}, 80, 24); !errors.Is(err, s.err) {
		t.Errorf("error %v, want %v", err, s.err)
	}
}

// A panic in what asks the instance leaves no raw terminal behind. It takes a
// process of its own, since bubbletea does not wait for its reader then.
func TestPanic(t *testing.T) {
	term, err := screen.New(80, 24)
	if err != nil {
		t.Fatal(err)
	}
	defer term.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), panics+"=1")
	term.Attach(cmd)
	before, _ := term.Modes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := term.Await(ctx, "13 of 13, full"); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("a panic is no error")
	}
	if after, err := term.Modes(); err != nil || after != before {
		t.Errorf("modes %+v (%v), want %+v", after, err, before)
	}
	if err := term.AwaitThat(ctx, func(string) bool { return !term.Alternate() && !term.CursorHidden() }); err != nil {
		t.Error(err)
	}
}

// panics is the environment variable that has TestMain run a view that panics.
const panics = "TCPLAB_TEST_WATCH_PANICS"

func runAndPanic() {
	s := newSource()
	looks := 0
	s.onStatus = func() {
		if looks++; looks > 20 {
			panic("a source that panics")
		}
	}
	if err := Run(context.Background(), Config{Dev: "tcplab0", Source: s, Interval: 50 * time.Millisecond}, os.Stdin, os.Stdout); err != nil {
		os.Exit(3)
	}
}

func TestOnce(t *testing.T) {
	s := newSource()
	s.events <- s.scene.event(0, handshake.SYNDropped, "SYN dropped", "13 of 13 queued", 41234)
	frame, err := Once(t.Context(), Config{Dev: "tcplab0", Source: s, Interval: 50 * time.Millisecond}, 80, 24)
	if err != nil || !strings.Contains(frame, "13 of 13") || !strings.Contains(frame, "192.0.2.1:41234") || strings.Contains(frame, "quit") {
		t.Errorf("%v, frame\n%s", err, frame)
	}
	close(s.events)
	if _, err := Once(t.Context(), Config{Dev: "tcplab0", Source: s, Interval: time.Minute}, 80, 24); err == nil {
		t.Error("an instance that ends meanwhile is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Once(ctx, Config{Dev: "tcplab0", Source: newSource(), Interval: time.Minute}, 80, 24); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
