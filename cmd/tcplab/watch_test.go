package main

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/internal/screen"
)

// target is where instances with the defaults listen.
var target = netip.MustParseAddrPort("192.0.2.2:80")

// bench is a network namespace with room for instances and terminals.
type bench struct {
	*testing.T
	*netns.Namespace
	ctx context.Context // ends long after the test should have
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Setenv(control.RunDirVariable, t.TempDir())
	t.Setenv("TERM", "xterm-256color")
	ns, err := netns.New("")
	if err != nil {
		t.Fatalf("this test makes network namespaces and TUN devices: run it as root, with scripts/test.sh: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(func() {
		cancel()
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{T: t, Namespace: ns, ctx: ctx}
}

// in is the bench in a subtest.
func (b *bench) in(t *testing.T) *bench {
	sub := *b
	sub.T = t
	return &sub
}

// tcplab is the command with arguments.
func (b *bench) tcplab(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, os.Args[0], args...)
	cmd.Args[0] = "tcplab" // TestMain runs main for it
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// run runs the command and returns what it prints.
func (b *bench) run(args ...string) string {
	b.Helper()
	out, err := b.Output(b.tcplab(args...))
	if err != nil {
		b.Fatalf("tcplab %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// up brings an instance up in the background until the test ends.
func (b *bench) up(args ...string) {
	b.Helper()
	b.run(append([]string{"up", "--detach"}, args...)...)
	b.Cleanup(func() { _, _ = b.Output(b.tcplab("down")) }) // down already, perhaps
}

// status is the state of the instance.
func (b *bench) status() endpoint.Status {
	b.Helper()
	var client *control.Client
	err := b.Do(func() (err error) { client, err = control.NewClient("tcplab0", nil); return err })
	if err != nil {
		b.Fatal(err)
	}
	status, err := client.Status(b.ctx, 10)
	if err != nil {
		b.Fatal(err)
	}
	return status
}

// connect has k clients of the namespace's kernel connect.
func (b *bench) connect(k int) []*netns.Client {
	b.Helper()
	clients := make([]*netns.Client, k)
	for i := range clients {
		c, err := b.Connect(target)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		clients[i] = c
	}
	return clients
}

// terminal is the command at a terminal.
type terminal struct {
	*bench
	*screen.Screen
	cmd    *exec.Cmd
	before unix.Termios
}

// at starts the command at a terminal of 80 columns and 24 lines.
func (b *bench) at(cmd *exec.Cmd) *terminal {
	b.Helper()
	s, err := screen.New(80, 24)
	if err != nil {
		b.Fatal(err)
	}
	s.Attach(cmd)
	before, err := s.Modes()
	if err == nil {
		err = b.Start(cmd)
	}
	if err != nil {
		s.Close()
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
		s.Close()
	})
	return &terminal{bench: b, Screen: s, cmd: cmd, before: before}
}

func (t *terminal) await(texts ...string) {
	t.Helper()
	if err := t.Await(t.ctx, texts...); err != nil {
		t.Fatal(err)
	}
}

func (t *terminal) press(keys string) {
	t.Helper()
	if err := t.Type(keys); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the command's end, with this exit code, and checks that the
// terminal is as it was.
func (t *terminal) ends(code int) {
	t.Helper()
	_ = t.cmd.Wait() // the code tells more
	if got := t.cmd.ProcessState.ExitCode(); got != code {
		t.Errorf("%v ends with %v, want code %d; the screen is\n%s", t.cmd.Args, t.cmd.ProcessState, code, t.Text())
	}
	if after, err := t.Modes(); err != nil || after != t.before {
		t.Errorf("the terminal's modes are %+v (%v), were %+v", after, err, t.before)
	}
	if err := t.AwaitThat(t.ctx, func(string) bool { return !t.Alternate() && !t.CursorHidden() }); err != nil {
		t.Errorf("the alternate screen is left on, or the cursor hidden: %v", err)
	}
}

// Real clients fill the queue of a real instance, keys let them in.
func TestWatch(t *testing.T) {
	b := newBench(t)
	b.up("--backlog", "2", "--accept", "off")
	w := b.at(b.tcplab("watch", "--interval", "50ms"))
	w.await("incomplete 0 + completed 0 = 0 of 4", "accept paused", "no events yet")

	clients := b.connect(4)
	w.await("completed 4 = 4 of 4, full", "promoted", "│██│██│██│██│ → accept")
	fifth := b.connect(1)[0]
	w.await("SYN dropped: 4 of 4 queued", "SYN ✗")

	w.press("a")
	first, err := clients[0].LocalAddr()
	if err != nil {
		t.Fatal(err)
	}
	w.await("accepted " + first.String())
	if err := fifth.Wait(b.ctx); err != nil { // its SYN comes again and finds room
		t.Error(err)
	}
	w.await("= 4 of 4, full")

	w.press("+")
	w.await("backlog 3", "4 of 5", "backlog is 3 now")
	w.press("4096\r")
	w.await("backlog 4096", "4 of 6145", "a cell is")
	w.press("b-7\r")
	w.await("backlog -7", "effective 0")
	w.press("2147483648\r")
	w.await("give a number like 8")
	w.press("8\rp")
	w.await("backlog 8", "4.4BSD", "Linux 5.x, 6.x")
	w.press("jjj\r")
	w.await("linux   backlog 8", "completed 4 of 9")
	w.press("?")
	w.await("Any key closes this.")
	w.press("x ")
	w.await("accept auto", "completed 0 of 9")
	if accept := b.status().Accept; accept != "auto" {
		t.Errorf("accept is %s", accept)
	}
	w.press("a")
	w.await("space pauses that")

	for _, size := range []struct {
		width, height int
		want          string
	}{{30, 5, "too small: 30x5, needs 44x12"}, {44, 12, "completed 0 of 9"}, {120, 40, "p profile"}} {
		if err := w.Resize(size.width, size.height); err != nil {
			t.Fatal(err)
		}
		w.await(size.want)
	}
	w.press("q")
	w.ends(0)
}

// The instance goes and another one comes; the view stays, and says so.
func TestWatchSurvivesItsInstance(t *testing.T) {
	b := newBench(t)
	b.up("--backlog", "2", "--port", "80", "--port", "81")
	w := b.at(b.tcplab("watch", "--interval", "50ms"))
	w.await("192.0.2.2:80", "port 1 of 2")
	w.press("\t")
	w.await("192.0.2.2:81", "port 2 of 2")
	b.run("down")
	w.await("tcplab0 is not there since", "no tcplab is running", "backlog 2")
	b.up("--backlog", "5")
	w.await("another instance", "192.0.2.2:80", "backlog 5")
	b.connect(1)
	w.await("promoted", "accepted")
	w.press("\x03")
	w.ends(0)
}

// withSIGHUP has a command end with SIGHUP where these tests themselves are run
// with nohup.
func withSIGHUP(cmd *exec.Cmd) *exec.Cmd {
	cmd.Args = append([]string{"env", "--default-signal=HUP", "bash", "-c", `exec -a tcplab "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/usr/bin/env"
	return cmd
}

// However it is told to end, it leaves the terminal as it was.
func TestWatchEnds(t *testing.T) {
	b := newBench(t)
	b.up()
	for name, end := range map[string]func(*terminal){
		"SIGTERM": func(w *terminal) { _ = w.cmd.Process.Signal(unix.SIGTERM) },
		"SIGHUP":  func(w *terminal) { _ = w.cmd.Process.Signal(unix.SIGHUP) },
		"SIGINT":  func(w *terminal) { _ = w.cmd.Process.Signal(unix.SIGINT) },
		"Ctrl-C":  func(w *terminal) { w.press("\x03") },
		"q":       func(w *terminal) { w.press("q") },
	} {
		t.Run(name, func(t *testing.T) {
			w := b.in(t).at(withSIGHUP(b.tcplab("watch")))
			w.await("incomplete 0 + completed 0")
			end(w)
			w.ends(0)
		})
	}
	t.Run("the terminal's window is closed", func(t *testing.T) {
		w := b.in(t).at(withSIGHUP(b.tcplab("watch")))
		w.await("incomplete 0 + completed 0")
		if err := w.HangUp(); err != nil {
			t.Fatal(err)
		}
		_ = w.cmd.Wait() // that it ends is enough
	})
	t.Run("nobody runs", func(t *testing.T) {
		w := b.in(t).at(b.tcplab("watch", "--dev", "lab1"))
		w.await("no tcplab is running on lab1")
		w.ends(1)
	})
}

// Without colours there are none; in a pipe, or for one frame, no escape sequence
// at all.
func TestWatchWithoutColour(t *testing.T) {
	b := newBench(t)
	b.up("--backlog", "1", "--accept", "off")
	b.connect(3)
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		cmd := b.tcplab("watch", "--once")
		cmd.Env = append(cmd.Env, env)
		once := b.at(cmd)
		once.await("2 of 2, full")
		once.ends(0)
		if strings.Contains(once.Written(), "\x1b") {
			t.Errorf("with %s: %q", env, once.Written())
		}
	}
	coloured := b.at(b.tcplab("watch", "--once"))
	coloured.await("2 of 2, full")
	coloured.ends(0)
	if !strings.Contains(coloured.Written(), "\x1b[") {
		t.Errorf("no colours on a terminal: %q", coloured.Written())
	}
	if out := b.run("watch", "--once"); strings.Contains(out, "\x1b") || !strings.Contains(out, "2 of 2, full") {
		t.Errorf("in a pipe: %q", out)
	}

	cmd := b.tcplab("watch")
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	w := b.at(cmd)
	w.await("2 of 2, full")
	w.press("q")
	w.ends(0)
	for _, colour := range []string{"\x1b[3", "\x1b[9", "\x1b[4", ";3", ";9"} {
		for _, part := range strings.SplitAfter(w.Written(), "m") {
			if at := strings.LastIndex(part, "\x1b["); at >= 0 && strings.HasPrefix(part[at:], colour) && strings.Trim(part[at+2:], "0123456789;m") == "" {
				t.Errorf("a colour with NO_COLOR: %q", part[at:])
			}
		}
	}
}
