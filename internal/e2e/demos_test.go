package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const root = "../.." // of the repository

// demo prepares a script of scripts/.
func demo(t *testing.T, script string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	tcplab := filepath.Join(t.TempDir(), "tcplab")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tcplab, root+"/cmd/tcplab").CombinedOutput(); err != nil {
		t.Fatalf("building tcplab: %v\n%s", err, out)
	}
	tmp = t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd = exec.CommandContext(ctx, script)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "TCPLAB="+tcplab, "TMPDIR="+tmp)
	return cmd, tmp
}

// wantNothingLeft wants the script's namespace and folder gone.
func wantNothingLeft(t *testing.T, cmd *exec.Cmd, tmp string) {
	t.Helper()
	name := "tcplab-demo-" + strconv.Itoa(cmd.Process.Pid)
	if _, err := os.Stat("/run/netns/" + name); err == nil {
		t.Errorf("namespace %s is left", name)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Each demonstration prints what docs/demos.md says, but for its numbers.
func TestDemos(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob(root + "/scripts/demo-*.sh")
	if err != nil {
		t.Fatal(err)
	}
	scripts = slices.DeleteFunc(scripts, func(s string) bool { return strings.HasSuffix(s, "-lib.sh") })
	if len(scripts) != 3 {
		t.Fatalf("found %v, want three", scripts)
	}
	page, err := os.ReadFile(root + "/docs/demos.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			cmd, tmp := demo(t, script)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			_, rest, _ := strings.Cut(string(page), "`scripts/"+filepath.Base(script)+"`\n\n```\n")
			want, _, _ := strings.Cut(rest, "\n```\n")
			if got, want := withoutNumbers(string(out)), withoutNumbers(want); !slices.Equal(got, want) {
				t.Errorf("it prints\n%s\nand docs/demos.md says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if strings.Contains(script, "latency-steps") {
				wantSteps(t, string(out))
			}
			wantNothingLeft(t, cmd, tmp)
		})
	}
}

var numbers = regexp.MustCompile(`[0-9][0-9.]*( [0-9.]+)*`)

// withoutNumbers are the lines of a text without numbers and spaces, sorted: a
// client prints when it is answered, before the next command or after it. A SYN
// that is sent again counts once: on a busy machine there are more of them.
func withoutNumbers(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(numbers.ReplaceAllString(strings.Join(strings.Fields(line), " "), "N")), " "); line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return slices.CompactFunc(lines, func(a, b string) bool { return a == b && strings.Contains(a, "Flags [S],") })
}

// connects are what curl says of ten clients, in seconds.
var connects = regexp.MustCompile(`^[0-9.]+( [0-9.]+){9}\n$`)

// wantSteps wants SYNs dropped at the small backlog, with connects that lasted
// until the client sent another one, and no drops at the large backlog: how long
// connects last there depends on what else the machine does. Without clients that
// wait, ab's table says nothing.
func wantSteps(t *testing.T, out string) {
	t.Helper()
	var (
		drops []string
		steps []int // for each load the clients that were connected after a second or more
	)
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "$ seq 20"):
			steps = append(steps, 0)
		case strings.HasPrefix(line, "TcpExtListenDrops"):
			drops = append(drops, fields[1])
		case connects.MatchString(line):
			for _, field := range fields {
				if seconds, err := strconv.ParseFloat(field, 64); err == nil && seconds >= 1 {
					steps[len(steps)-1]++
				}
			}
		}
	}
	if len(drops) != 3 || drops[0] == "0" || drops[1] != "0" || drops[2] == "0" {
		t.Errorf("drops %v; want some at first, none then, and some with ab", drops)
	}
	if len(steps) != 2 || steps[0] == 0 {
		t.Errorf("%v clients took a second to connect; want some at first\n%s", steps, out)
	}
}

// Ended by a signal in the middle, it leaves nothing.
func TestDemoEnded(t *testing.T) {
	t.Parallel()
	for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
		cmd, tmp := demo(t, root+"/scripts/demo-full-queue.sh")
		var out bytes.Buffer
		seen := make(chan struct{})
		cmd.Stdout = &watched{&out, "fill the queue", seen}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-seen:
		case <-time.After(time.Minute):
			t.Error("it did not get so far within a minute")
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 128+int(signal) {
			t.Errorf("%v: %v, want exit code %d\n%s", signal, err, 128+int(signal), &out)
		}
		wantNothingLeft(t, cmd, tmp)
	}
}

// watched closes seen when text has been written.
type watched struct {
	out  *bytes.Buffer // not embedded: its ReadFrom would be used
	text string
	seen chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	before := strings.Contains(w.out.String(), w.text)
	n, err := w.out.Write(p)
	if !before && strings.Contains(w.out.String(), w.text) {
		close(w.seen)
	}
	return n, err
}
