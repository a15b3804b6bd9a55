package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/screen"
)

// unprivileged runs shell commands as nobody, without a terminal.
func unprivileged(t *testing.T, mode, commands string) (out string, err error) {
	t.Helper()
	cmd := asNobody(t, mode, commands)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// asNobody prepares shell commands that run as nobody, in a mount namespace that
// has a TUN device of its own, of this mode. TCPLAB is this program.
func asNobody(t *testing.T, mode, commands string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes a device and becomes nobody: run it as root, with scripts/test.sh")
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "tcplab") // testscript.Main runs main for this name
	copyProgram(t, program)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "unshare", "-m", "sh", "-c", `mount -t tmpfs none /dev/net &&
mknod /dev/net/tun c 10 200 && chmod "$1" /dev/net/tun && cd / &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "$2"`, "sh", mode, commands)
	cmd.Env = append(os.Environ(), "TCPLAB="+program, "TMPDIR=/tmp", "GORACE=atexit_sleep_ms=0", "SHELL=/bin/sh")
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestExecAsNobody(t *testing.T) {
	t.Parallel()
	for commands, want := range map[string]string{
		`$TCPLAB exec -- sh -c 'id -u; curl -sS http://192.0.2.2/'`:                          "65534\ntcplab at 192.0.2.2:80\n",
		`$TCPLAB exec --profile sum --backlog 2 --accept off -- $TCPLAB status`:              "sum: incomplete + completed <= 2",
		`$TCPLAB exec -- $TCPLAB syn --count 3`:                                              "3 SYNs to 192.0.2.2:80: 3 answered with SYN-ACK",
		`$TCPLAB exec -- sh -c 'exit 42'; echo code $?`:                                      "code 42\n",
		`$TCPLAB exec -- sh -c 'kill -9 $$'; echo code $?`:                                   "code 137\n",
		`$TCPLAB exec -- no-such-program; echo code $?`:                                      "tcplab: starting no-such-program: exec: \"no-such-program\": executable file not found in $PATH\ncode 127\n",
		`$TCPLAB exec -- /dev/null; echo code $?`:                                            "code 126\n",
		`$TCPLAB exec; echo code $?`:                                                         "tcplab: no command given: give one behind --",
		`echo 'curl -s http://192.0.2.2/; exit 3' | $TCPLAB shell --backlog 3; echo code $?`: "code 3\n",
		// tcpdump keeps the user, and is there before the packets are.
		`$TCPLAB exec -- sh -c 'mkfifo $0 && exec 3<>$0 && rm $0 && { tcpdump -ni tcplab0 -c 1 tcp 2>&3 & }
while read line <&3; do case $line in (listening*) break; esac; done; curl -s -o /dev/null http://192.0.2.2/; wait' $(mktemp -u)`: "Flags [S]",
	} {
		out, err := unprivileged(t, "0666", commands)
		if !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%swant %q in it", commands, err, out, want)
		}
	}
}

// What the signals do shows in what the command says, which has its folder left
// behind by nobody.
func TestExecSignals(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"TERM": "got it\ncode 7\n", "INT": "got it\ncode 7\n"} {
		out, err := unprivileged(t, "0666", `ready=$(mktemp -u); mkfifo $ready
$TCPLAB exec -- sh -c 'trap "echo got it; exit 7" `+name+`; echo >'$ready'; while :; do sleep 0.1; done' & P=$!
read line <$ready; rm $ready; kill -`+name+` $P; wait $P; echo code $?`)
		if !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// At a terminal, Ctrl-C is the command's alone, which gets it once; a shell has
// its jobs, and stays.
func TestExecTerminal(t *testing.T) {
	t.Parallel()
	const counts = `trap : INT; $TCPLAB exec -- sh -c 'n=0; trap "n=\$((n+1)); echo got \$n" INT; echo re""ady; while [ $n = 0 ]; do sleep 0.1; done; sleep 0.5; exit 4$n'; echo code $?`
	atTerminal(t, asNobody(t, "0666", counts), func(await, press func(string)) {
		await("ready")
		press("\x03")
		await("got 1")
		await("code 41")
	})
	atTerminal(t, asNobody(t, "0666", `SHELL=/bin/bash $TCPLAB shell --backlog 3; echo code $?`), func(await, press func(string)) {
		await("incomplete + completed <= 5")
		await("network namespace of its own")
		press("curl -s http://192.0.2.2/\n")
		await("tcplab at 192.0.2.2:80")
		press(`sh -c 'echo slee""ping; exec sleep 300'` + "\n")
		await("sleeping")
		press("\x03")
		press("echo st''ill $TCPLAB_RUN_DIR there $?\n")
		await("still /tmp/tcplab-exec-")
		await("there 130")
		press("exit 3\n")
		await("code 3")
	})
}

// atTerminal runs a command at a terminal, which it has to leave as it was.
func atTerminal(t *testing.T, cmd *exec.Cmd, use func(await, press func(string))) {
	t.Helper()
	s, err := screen.New(80, 24)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Attach(cmd)
	before, err := s.Modes()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // no longer than the command has
	defer cancel()
	use(func(text string) {
		t.Helper()
		if err := s.Await(ctx, text); err != nil {
			t.Error(err)
		}
	}, func(keys string) {
		if err := s.Type(keys); err != nil {
			t.Error(err)
		}
	})
	if err := <-ended; err != nil {
		t.Errorf("%v; the screen is\n%s", err, s.Text())
	}
	if after, err := s.Modes(); err != nil || after != before {
		t.Errorf("the terminal's modes are %+v (%v), were %+v", after, err, before)
	}
}

// A process that is killed takes the command with it, and the folder too.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	out, err := unprivileged(t, "0666", `ready=$(mktemp -u); mkfifo $ready
$TCPLAB exec -- sh -c 'echo $$ $TCPLAB_RUN_DIR >'$ready'; exec sleep 300' & P=$!
read child dir <$ready; rm $ready; test -d $dir && echo there; kill -9 $P
while [ -d /proc/$child ] && ! grep -q '^State:.Z' /proc/$child/status || [ -d $dir ]; do sleep 0.1; done; echo gone`)
	if !strings.Contains(out, "there\n") || !strings.HasSuffix(out, "gone\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Nothing in the environment has exec believe that it is inside already: it
// makes its namespace, and removes what it has made and nothing else. Open
// descriptors are the command's.
func TestExecForged(t *testing.T) {
	t.Parallel()
	for _, forged := range []string{
		"TCPLAB_INSIDE=$victim", "TCPLAB_AGAIN=$victim", "TCPLAB_AGAIN=3", "TCPLAB_AGAIN=0", "TCPLAB_AGAIN=4 TCPLAB_INSIDE=$victim TCPLAB_RUN_DIR=$victim",
		"TCPLAB_DETACHED=1",
	} {
		out, err := unprivileged(t, "0666", `victim=$(mktemp -d) && mkdir $victim/sub && echo precious >$victim/sub/file && exec 3>$victim/three 4<$victim
outside=$(readlink /proc/self/ns/net)
`+forged+` $TCPLAB exec -- sh -c 'readlink /proc/self/ns/net >&3; curl -sS http://192.0.2.2/; case $TCPLAB_RUN_DIR in /tmp/tcplab-exec-*) echo own folder; echo $TCPLAB_RUN_DIR >&3;; esac'
echo code $?; cat $victim/sub/file; { read inside; read folder; } <$victim/three
[ "$inside" ] && [ "$inside" != "$outside" ] && echo another namespace; [ -e "$folder" ] || echo folder removed; rm -r $victim`)
		for _, want := range []string{"tcplab at 192.0.2.2:80\n", "own folder\n", "code 0\n", "precious\n", "another namespace\n", "folder removed\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %v, want %q in\n%s", forged, err, want, out)
			}
		}
	}
}

// The message names what makes the path shorter: TCPLAB_RUN_DIR is exec's own.
func TestExecLongTMPDIR(t *testing.T) {
	t.Parallel()
	out, _ := unprivileged(t, "0666", `long=$(mktemp -d)/`+strings.Repeat("x", 90)+`; mkdir $long; TMPDIR=$long $TCPLAB exec -- true; echo code $?
ls $long; rmdir $long $(dirname $long); TMPDIR=/nowhere/at/all $TCPLAB exec -- true`)
	for _, want := range []string{"the path is longer than 107 bytes", "set TMPDIR to a shorter one, such as /tmp", "code 1\n", "in /nowhere/at/all: ", "set TMPDIR to a directory that you can write to"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "TCPLAB_RUN_DIR") || strings.Contains(out, "tcplab-exec-") && strings.Contains(out, "rmdir: ") {
		t.Errorf("advice that does not help, or something left behind:\n%s", out)
	}
}

func TestExecForbidden(t *testing.T) {
	t.Parallel()
	out, _ := unprivileged(t, "0600", `$TCPLAB exec -- true; echo code $?`)
	if !strings.Contains(out, "tcplab: opening /dev/net/tun: permission denied: allow it with sudo chmod 0666 /dev/net/tun, ") || !strings.HasSuffix(out, "code 1\n") {
		t.Errorf("without the device:\n%s", out)
	}
	// A namespace within one that may have no others.
	out, _ = unprivileged(t, "0666", `unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set -all --inh-caps -all $TCPLAB exec -- true'; echo code $?`)
	if !bytes.Contains([]byte(out), []byte("sudo sysctl -w user.max_user_namespaces=10000")) || !strings.HasSuffix(out, "code 1\n") {
		t.Errorf("without user namespaces:\n%s", out)
	}
}
