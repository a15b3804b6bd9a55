package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fuzzScript is scripts/fuzz.sh in a module of its own, with these fuzz targets.
func fuzzScript(t *testing.T, targets string, args ...string) (cmd *exec.Cmd, module string) {
	t.Helper()
	module = t.TempDir()
	script, err := os.ReadFile(root + "/scripts/fuzz.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(module, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"scripts/fuzz.sh": string(script),
		"go.mod":          "module fuzzed\n\ngo 1.26\n",
		"fuzzed_test.go":  "package fuzzed\n\nimport (\"os\"; \"testing\"; \"time\")\n\nvar _, _ = os.Stdout, time.Second\n\n" + targets,
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd = exec.CommandContext(t.Context(), filepath.Join(module, "scripts/fuzz.sh"), args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "FUZZ_PATIENCE=5", "GOFLAGS=")
	return cmd, module
}

// left is what the script left in its TMPDIR, files and processes.
func left(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	for _, variable := range cmd.Env[len(os.Environ()):] {
		dir, ok := strings.CutPrefix(variable, "TMPDIR=")
		if !ok {
			continue
		}
		found, err := filepath.Glob(dir + "/*")
		if err != nil {
			t.Fatal(err)
		}
		processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, process := range processes {
			if line, err := os.ReadFile(process); err == nil && bytes.Contains(line, []byte(dir)) {
				found = append(found, string(line))
			}
		}
		return found
	}
	t.Fatal("the script has no TMPDIR of its own")
	return nil
}

const (
	fuzzGood    = "func FuzzGood(f *testing.F) { f.Add(1); f.Fuzz(func(*testing.T, int) {}) }\n"
	fuzzKept    = "func FuzzKept(f *testing.F) { for i := range 300 { f.Add(i) }; f.Fuzz(func(*testing.T, int) { time.Sleep(10 * time.Millisecond) }) }\n"
	fuzzStalled = "func FuzzStalled(f *testing.F) { f.Add(1); f.Fuzz(func(*testing.T, int) { time.Sleep(500 * time.Millisecond) }) }\n"
	fuzzBegun   = "func FuzzBegun(f *testing.F) { f.Fuzz(func(*testing.T, int) { os.WriteFile(\"began\", nil, 0o644) }) }\n"
	fuzzBroken  = "func FuzzBroken(f *testing.F) { f.Add(0); f.Fuzz(func(t *testing.T, n int) { if n != 0 { t.Fatal(\"not zero\") } }) }\n"
)

// scripts/fuzz.sh finds every target and says how often each ran, also one whose time
// is over before it has played the inputs that are kept. It fails for a target that
// hardly runs and for one that finds something, whose input stays, and goes on with the
// others.
func TestFuzzScript(t *testing.T) {
	t.Parallel()
	cmd, module := fuzzScript(t, fuzzBroken+fuzzGood+fuzzKept+fuzzStalled, "1s")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v, want exit code 1\n%s%s", err, &stdout, &stderr)
	}
	for _, want := range []string{
		`(?m)^FuzzBroken +[0-9]+ executions in +[0-9]+ s  fuzzed  FAILED$`,
		`(?m)^FuzzGood +[0-9]{3,} executions in +[0-9]+ s  fuzzed$`,
		`(?m)^FuzzKept +[0-9]{3,} executions in +[0-9]+ s  fuzzed$`,
		`(?m)^FuzzStalled +[0-9]{1,2} executions in +[0-9]+ s  fuzzed  FAILED$`,
	} {
		if !regexp.MustCompile(want).Match(stdout.Bytes()) {
			t.Errorf("it does not say %s:\n%s%s", want, &stdout, &stderr)
		}
	}
	if !strings.Contains(stderr.String(), "not zero") {
		t.Errorf("it does not say what FuzzBroken found:\n%s", &stderr)
	}
	if kept, _ := filepath.Glob(module + "/testdata/fuzz/FuzzBroken/*"); len(kept) != 1 {
		t.Errorf("kept %v, want the input that FuzzBroken found", kept)
	}
	if found := left(t, cmd); len(found) > 0 {
		t.Errorf("%v is left", found)
	}
}

// A signal ends it with what it started, and leaves nothing.
func TestFuzzScriptEnded(t *testing.T) {
	t.Parallel()
	for signal, code := range map[unix.Signal]int{unix.SIGINT: 130, unix.SIGTERM: 143} {
		cmd, module := fuzzScript(t, fuzzBegun, "1h")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(module, "began")); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Error("the target did not begin within two minutes")
				break
			}
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != code {
			t.Errorf("%v: %v, want exit code %d\n%s", signal, err, code, &out)
		}
		if found := left(t, cmd); len(found) > 0 {
			t.Errorf("%v: %v is left", signal, found)
		}
	}
}
