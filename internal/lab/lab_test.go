package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/listener/handshake"
)

func TestMain(m *testing.M) {
	run, err := os.MkdirTemp("", "tcplab-lab-run-")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("TCPLAB_RUN_DIR", run); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(run)
		os.Exit(code)
	}))
}

// Every lab, with its claims. Most of their time they wait for a client's second
// SYN, so they run at the same time.
func TestLabs(t *testing.T) {
	for _, l := range All() {
		t.Run(l.Name, func(t *testing.T) {
			if len(l.Needs) == 0 || l.Needs[0].Name != "nginx" { // which has timeouts that a busy machine meets
				t.Parallel()
			}
			var out bytes.Buffer
			dir := t.TempDir()
			if err := Run(t.Context(), l, Options{Out: &out, Speed: 20, Report: dir}); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			page, err := os.ReadFile(filepath.Join(dir, l.Name+".html"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"claims, all hold", "</html>"} {
				if !bytes.Contains(page, []byte(want)) {
					t.Errorf("the report does not have %q", want)
				}
			}
			for _, line := range strings.Split(out.String(), "\n") {
				if len([]rune(line)) > 200 {
					t.Errorf("a line of %d characters: %s", len(line), line)
				}
			}
		})
	}
}

// The report's capture is one that tshark reads, with the reasons as comments.
func TestReportsCapture(t *testing.T) {
	dir := t.TempDir()
	l := &Lab{Name: "drop", Title: "One drop", About: "One.", run: func(s *Scene) {
		server := s.Up("", func(c *endpoint.Config) { c.Backlog.Backlog, c.Accept = 0, app.Off })
		server.ConnectInTurn(2)
		server.WaitFor(handshake.SYNDropped, 1)
		s.Claim(true, "a SYN was dropped")
	}}
	if err := Run(t.Context(), l, Options{Out: io.Discard, Report: dir}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", filepath.Join(dir, "drop.pcapng"), "-T", "fields", "-e", "frame.comment").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "SYN dropped: 1 of 1 queued (incomplete 0, completed 1), bsd, backlog 0") {
		t.Errorf("tshark says %s, %v", out, err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, "drop.jsonl"))
	if err != nil || !bytes.Contains(lines, []byte(`"kind":"syn-dropped"`)) {
		t.Errorf("the events are %s, %v", lines, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "drop.html"))
	if err != nil || !bytes.Contains(page, []byte(`class="what syn-dropped"`)) || bytes.Contains(page, []byte("http://")) {
		t.Errorf("the page has no ladder with the drop, or fetches something: %v", err)
	}
}

// A claim that does not hold is told, and the lab goes on.
func TestFailedClaim(t *testing.T) {
	l := &Lab{Name: "wrong", Title: "Wrong", run: func(s *Scene) {
		s.Claim(1 > 2, "one is more than two")
		s.Claim(true, "the lab goes on")
	}}
	var out bytes.Buffer
	err := Run(t.Context(), l, Options{Out: &out})
	var claims *ClaimError
	if !errors.As(err, &claims) || claims.Failed != 1 || claims.Claims != 2 {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "FAILED: one is more than two\n   ok: the lab goes on\n") {
		t.Errorf("it says %s", &out)
	}
}

func TestMissingProgram(t *testing.T) {
	l := &Lab{Name: "other", Needs: []Program{{"no-such-program", "no-such-package"}}}
	err := Run(t.Context(), l, Options{Out: io.Discard})
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "apt-get install no-such-package") {
		t.Errorf("error %v", err)
	}
}

// Whenever a lab is ended, nothing of it is left: the goroutines are checked at
// the end of all tests, sockets and namespaces here.
func TestEndedInTheMiddle(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // other tests make folders at the same time
	before := left(t)
	for _, l := range All() {
		for range 2 {
			after := time.Duration(rand.Int64N(int64(time.Second)))
			ctx, cancel := context.WithTimeout(t.Context(), after)
			err := Run(ctx, l, Options{Out: io.Discard})
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s ended after %v: %v", l.Name, after, err)
			}
		}
	}
	if now := left(t); now != before {
		t.Errorf("left behind: %s, before %s", now, before)
	}
}

// left is what a lab of this process could leave: control sockets, folders, named namespaces,
// processes.
func left(t *testing.T) string {
	t.Helper()
	var found []string
	for _, pattern := range []string{os.Getenv("TCPLAB_RUN_DIR") + "/*/*", os.TempDir() + "/tcplab-lab-[0-9]*", fmt.Sprintf("/run/netns/tcplab-%d-*", os.Getpid())} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.HasSuffix(name, ".lock") {
				found = append(found, name)
			}
		}
	}
	threads, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		children, _ := os.ReadFile(thread) // a thread that has ended has none
		for pid := range strings.FieldsSeq(string(children)) {
			command, _ := os.ReadFile("/proc/" + pid + "/comm")
			found = append(found, "process "+pid+" "+strings.TrimSpace(string(command)))
		}
	}
	return strings.Join(found, " ")
}

// A report is not written over by what happened in another lab.
func TestNamesAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, l := range All() {
		if seen[l.Name] || l.Title == "" || l.About == "" || l.run == nil {
			t.Errorf("lab %q is twice there, or says nothing", l.Name)
		}
		seen[l.Name] = true
		if found, err := Lookup(l.Name); err != nil || found != l {
			t.Errorf("Lookup(%q) = %v, %v", l.Name, found, err)
		}
	}
	if _, err := Lookup("nonsense"); err == nil || !strings.Contains(err.Error(), "two-queues, ") {
		t.Errorf("error %v", err)
	}
}

// Each lab has its section in docs/labs.md, with the transcript of a run that
// held.
func TestEachLabIsDescribed(t *testing.T) {
	page, err := os.ReadFile("../../docs/labs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range All() {
		_, section, found := strings.Cut(string(page), "\n## "+l.Name+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, "lab run "+l.Name) || !strings.Contains(section, "claims, all hold") || strings.Contains(section, "FAILED") {
			t.Errorf("docs/labs.md has no section with a transcript of %s", l.Name)
		}
	}
}
