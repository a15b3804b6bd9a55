package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
)

// memoryGroup makes a control group with a limit, beside that of the test, until
// the test ends. It returns the group's directory.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	dir, file := "", ""
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case fields[1] == "memory": // version 1
			dir, file = "/sys/fs/cgroup/memory"+fields[2], "memory.limit_in_bytes"
		case fields[0] == "0" && dir == "": // version 2: the limit is for groups below one without processes
			dir, file = filepath.Dir("/sys/fs/cgroup"+fields[2]+"/x"), "memory.max"
			if fields[2] != "/" {
				dir = filepath.Dir(dir)
			}
		}
	}
	dir = filepath.Join(dir, fmt.Sprintf("tcplab-test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatalf("making a control group: %v", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0); err != nil {
		t.Fatalf("limiting a control group: %v", err)
	}
	return dir
}

// In a control group of 64 MB, with everything that keeps something on, neither a
// flood nor 20,000 half-open entries end the process, and a client is served
// afterwards. "ip netns exec" hides the control groups from its program.
func TestFloodInASmallControlGroup(t *testing.T) {
	program := filepath.Join(t.TempDir(), "tcplab")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil { // the race detector takes more than 64 MB
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct{ name, via string }{
		{"control groups seen", ""},
		{"control groups hidden", "ip netns exec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			group, files := memoryGroup(t, 64<<20), t.TempDir()
			script := `echo $$ > "$1/cgroup.procs"; shift; exec "$@"`
			args := []string{"-c", script, "sh", group}
			if c.via != "" {
				name := fmt.Sprintf("tcplab-cgroup-%d", os.Getpid())
				ns, err := netns.New(name)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = ns.Close() })
				b.Namespace = ns
				args = append(args, "ip", "netns", "exec", name)
			}
			cmd := exec.CommandContext(b.ctx, "sh", append(args, program, "up", "--sandbox=false", "--profile", "sum",
				"--backlog", "20000", "--somaxconn", "20000", "--ui", ":8080", "--metrics", ":9100",
				"--events", files+"/events.jsonl", "--capture", files+"/capture.pcapng", "--capture-size", "10MB")...)
			output, err := os.Create(files + "/output")
			if err != nil {
				t.Fatal(err)
			}
			defer output.Close()
			cmd.Stdout, cmd.Stderr = output, output
			if err := b.Start(cmd); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			status := func() (s endpoint.Status, ok bool) {
				select {
				case err := <-ended:
					text, _ := os.ReadFile(output.Name())
					t.Fatalf("it has ended: %v\n%.2000s", err, text)
				default:
				}
				out, err := b.Output(exec.CommandContext(b.ctx, program, "status", "--json"))
				return s, err == nil && json.Unmarshal(out, &s) == nil
			}
			await := func(what string, ok func(endpoint.Status) bool) {
				for b.ctx.Err() == nil {
					if s, up := status(); up && ok(s) {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
				t.Fatalf("waiting in vain: %s", what)
			}
			await("it is up", func(endpoint.Status) bool { return true })
			if _, err := b.Flood(b.ctx, netns.Flood{To: target, Count: 60_000}); err != nil {
				_, _ = status() // which says so if it has ended
				t.Fatal(err)
			}
			await("the queue is full", func(s endpoint.Status) bool { return s.Listeners[0].Incomplete.Length >= 20_000 })
			if out, err := b.Output(exec.CommandContext(b.ctx, program, "set", "backlog=30000", "somaxconn=30000")); err != nil {
				t.Fatalf("making room for a client: %v\n%s", err, out)
			}
			if out, err := b.Output(exec.CommandContext(b.ctx, "curl", "-sS", "--retry", "3", "http://192.0.2.2/bytes/100000", "-o", "/dev/null", "-w", "%{size_download}")); err != nil || string(out) != "100000" {
				t.Errorf("a client is served %s: %v", out, err)
			}
			await("it is alive", func(endpoint.Status) bool { return true })
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}
