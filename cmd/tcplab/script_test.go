package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
)

// commands are what the scripts have beside testscript's own.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"exits":  exits,
	"await":  await,
	"signal": sendSignal,
	"flood":  flood,
}

// TestScripts runs the scripts that need neither root nor a device.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Cmds:  commands,
		Setup: setup,
	})
}

// TestScriptsInNamespaces runs the scripts that bring instances up. Each has two
// network namespaces of its own, in which the programs "ns" and "ns2" run a
// command.
func TestScriptsInNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces and TUN devices: run it as root, with scripts/test.sh")
	}
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script/netns",
		Cmds:  commands,
		Setup: inNamespaces,
	})
}

// setup has a script's instances be found in its own directory.
func setup(e *testscript.Env) error {
	e.Setenv("TCPLAB_RUN_DIR", e.Getenv("WORK")+"/run")
	e.Setenv("XDG_CACHE_HOME", e.Getenv("WORK")+"/cache")
	e.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each run otherwise
	return nil
}

// inNamespaces makes the namespaces of a script.
func inNamespaces(e *testscript.Env) error {
	if err := setup(e); err != nil {
		return err
	}
	work := e.Getenv("WORK")
	e.Setenv("PATH", work+"/bin:"+e.Getenv("PATH"))
	e.Setenv(crashes, work+"/crashes")
	if err := os.Mkdir(work+"/crashes", 0o755); err != nil {
		return err
	}
	e.Defer(func() {
		if stacks := unlisted(work + "/crashes"); stacks != "" {
			e.T().Fatal("a system call that internal/sandbox/calls.go does not list:\n" + stacks)
		}
	})
	if err := os.Mkdir(work+"/bin", 0o755); err != nil {
		return err
	}
	for _, program := range []string{"ns", "ns2"} {
		name := fmt.Sprintf("tcplab-%d-%s-%s", os.Getpid(), filepath.Base(work), program)
		ns, err := netns.New(name)
		if err != nil {
			return err
		}
		e.Values[program] = ns
		script := fmt.Sprintf("#!/bin/sh\nexec ip netns exec %s \"$@\"\n", name)
		if err := os.WriteFile(filepath.Join(work, "bin", program), []byte(script), 0o755); err != nil {
			return errors.Join(err, ns.Close())
		}
		e.Defer(func() {
			takeDown(e, work, program)
			if err := ns.Close(); err != nil {
				e.T().Log(err)
			}
		})
	}
	return nil
}

// takeDown ends what a script that failed has left in the background.
func takeDown(e *testscript.Env, work, program string) {
	left, _ := filepath.Glob(work + "/run/*/*.sock")
	for _, socket := range left {
		var namespace uint64
		var dev string
		if _, err := fmt.Sscanf(filepath.Base(socket), "%d-%s", &namespace, &dev); err != nil {
			continue
		}
		down := exec.Command(filepath.Join(work, "bin", program), "tcplab", "down", "--dev", dev[:len(dev)-len(".sock")])
		down.Env = e.Vars
		_ = down.Run() // it is of the other namespace, or was ended by a signal
	}
}

// exits runs a program and wants this exit code of it: exits CODE PROGRAM ARGS.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%v exits with %d, want %d", args[1:], code, want)
	}
}

// signals are those that testscript's kill does not know.
var signals = map[string]os.Signal{"TERM": unix.SIGTERM, "HUP": unix.SIGHUP, "QUIT": unix.SIGQUIT}

// sendSignal sends a signal to the instance on tcplab0: signal NAME.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("ns", "tcplab", "status", "--json"))
	var status endpoint.Status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	process, err := os.FindProcess(status.PID)
	ts.Check(err)
	ts.Check(process.Signal(signals[args[0]]))
}

// flood has clients that do not exist send a SYN each to port 80, in the
// namespace of "ns": flood COUNT.
func flood(ts *testscript.TestScript, _ bool, args []string) {
	count, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to := netip.AddrPortFrom(endpoint.Defaults().Links[0].Addr, 80)
	sent, err := ts.Value("ns").(*netns.Namespace).Flood(ctx, netns.Flood{To: to, Rate: 10000, Count: count})
	ts.Check(err)
	if sent != count {
		ts.Fatalf("sent %d SYNs, want %d", sent, count)
	}
}

// patience is how long await tries.
const patience = time.Minute

// await runs a program again and again until it succeeds, or with ! until it
// fails: await PROGRAM ARGS.
func await(ts *testscript.TestScript, not bool, args []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if err := ts.Exec(args[0], args[1:]...); (err == nil) != not {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v: not within %v", args, patience)
		}
	}
}
