package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// runDir has sockets made in a directory of the test's.
func runDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	t.Setenv(RunDirVariable, dir)
	return dir
}

// socketPath is where the socket of dev is.
func socketPath(t *testing.T, dev string) string {
	t.Helper()
	a, err := locate(dev)
	if err != nil {
		t.Fatal(err)
	}
	return a.own()
}

// leaveStale leaves a socket as a killed instance does.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	run, err := openRunDir(true)
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	dir, err := makeUserDir(run, sandbox.Target())
	if err != nil {
		t.Fatal(err)
	}
	dir.close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func mustClaim(t *testing.T, dev string) *Server {
	t.Helper()
	s, err := Claim(t.Context(), dev, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(Stopped{}) })
	return s
}

func TestSocketBelongsToWhoCalledSudo(t *testing.T) {
	dir := runDir(t)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1234, 4321
		t.Setenv("SUDO_UID", "1234")
		t.Setenv("SUDO_GID", "4321")
	}
	defer unix.Umask(unix.Umask(0)) // the worst one
	mustClaim(t, "tcplab0")

	info, err := os.Stat(socketPath(t, "tcplab0"))
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode() != fs.ModeSocket|0o600 || int(owner.Uid) != uid || int(owner.Gid) != gid {
		t.Errorf("socket %v of %d:%d, want mode 0600 of %d:%d", info.Mode(), owner.Uid, owner.Gid, uid, gid)
	}
	if info, err = os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o755 {
		t.Errorf("directory %v, %v; want mode 0755", info.Mode(), err)
	}
}

func TestDirectoryOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test makes directories of other users: run it as root, with scripts/test.sh")
	}
	runDir(t)
	mustClaim(t, "tcplab1")
	if err := os.Lchown(userDir(), 4321, 4321); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(t.Context(), "tcplab0", nil); err == nil || !strings.Contains(err.Error(), "is no directory of user 65534") {
		t.Errorf("error %v, want one that says whose directory it should be", err)
	}
}

// An instance of one user is found by another one, and its name is taken.
func TestInstancesOfSeveralUsers(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test makes directories of other users: run it as root, with scripts/test.sh")
	}
	runDir(t)
	leaveStale(t, socketPath(t, "tcplab0"))
	t.Setenv("SUDO_UID", "4321")
	t.Setenv("SUDO_GID", "4321")
	s := mustClaim(t, "tcplab0")
	a, err := locate("tcplab0")
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []string{"1234", "4321", "0"} {
		t.Setenv("SUDO_UID", uid)
		if _, err := Claim(t.Context(), "tcplab0", nil); !errors.As(err, new(*RunningError)) {
			t.Errorf("user %s: error %v, want that it is running", uid, err)
		}
		f, err := dial(a)
		if err != nil {
			t.Fatal(err)
		}
		f.close()
		if f.path != s.Path() {
			t.Errorf("user %s: socket %s, want %s", uid, f.path, s.Path())
		}
	}
}

func TestPathNamesNamespaceAndInterface(t *testing.T) {
	dir := runDir(t)
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	if got, want := socketPath(t, "a-b"), fmt.Sprintf("%s/%d/%d-a-b.sock", dir, sandbox.Target().UID, st.Ino); got != want {
		t.Errorf("path %s, want %s", got, want)
	}
}

func TestClaimingTwice(t *testing.T) {
	runDir(t)
	first := mustClaim(t, "tcplab0")
	_, err := Claim(t.Context(), "tcplab0", nil)
	var running *RunningError
	if !errors.As(err, &running) || running.PID != os.Getpid() || !strings.Contains(err.Error(), "tcplab down --dev tcplab0") {
		t.Errorf("error %v, want one that names process %d and what to do", err, os.Getpid())
	}
	mustClaim(t, "tcplab1")
	if err := first.Close(Stopped{}); err != nil {
		t.Fatal(err)
	}
	mustClaim(t, "tcplab0")
}

func TestClaimReplacesWhatKilledInstancesLeft(t *testing.T) {
	runDir(t)
	mustClaim(t, "alive")
	other := filepath.Join(userDir(), "1-tcplab0.sock") // of a namespace that is no more
	leaveStale(t, socketPath(t, "tcplab0"))
	leaveStale(t, socketPath(t, "tcplab9"))
	leaveStale(t, other)

	mustClaim(t, "tcplab0")
	for _, path := range []string{socketPath(t, "tcplab9"), other} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	if got := strings.Join(Running(), " "); got != "alive tcplab0" {
		t.Errorf("running: %s, want alive and tcplab0", got)
	}
}

func TestOneOfManyClaimsWins(t *testing.T) {
	dir := runDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	leaveStale(t, socketPath(t, "tcplab0"))
	var claims sync.WaitGroup
	won := make(chan *Server, 20)
	for range cap(won) {
		claims.Go(func() {
			s, err := Claim(t.Context(), "tcplab0", nil)
			if err == nil {
				won <- s
			} else if !errors.As(err, new(*RunningError)) {
				t.Error(err)
			}
		})
	}
	claims.Wait()
	close(won)
	if len(won) != 1 {
		t.Errorf("%d claims won, want 1", len(won))
	}
	for s := range won {
		if err := s.Close(Stopped{}); err != nil {
			t.Error(err)
		}
	}
	if left, _ := os.ReadDir(userDir()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDirectoryThatOthersCanWriteTo(t *testing.T) {
	dir := runDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Claim(t.Context(), "tcplab0", nil); err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir) {
		t.Errorf("error %v, want one that says how to mend it", err)
	}
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	mustClaim(t, "tcplab0") // as in /tmp: others cannot take our file away
}

func TestPathThatIsTooLong(t *testing.T) {
	t.Setenv(RunDirVariable, filepath.Join(t.TempDir(), strings.Repeat("d", 100)))
	if _, err := Claim(t.Context(), "tcplab0", nil); err == nil || !strings.Contains(err.Error(), RunDirVariable) {
		t.Errorf("error %v, want one that names %s", err, RunDirVariable)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	dir := runDir(t)
	for _, dev := range []string{"", ".", "..", "a/b", "a b", "../../x", "sixteen-letters.", "a\x00"} {
		if _, err := Claim(t.Context(), dev, nil); err == nil || !strings.Contains(err.Error(), "is no name of an interface") {
			t.Errorf("%q: error %v", dev, err)
		}
		if _, err := NewClient(dev, nil); err == nil {
			t.Errorf("%q: a client", dev)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory was made for nothing")
	}
}
