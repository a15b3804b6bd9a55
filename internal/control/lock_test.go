package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Users who lock what they can open keep nobody from claiming a name: neither the
// directories nor, as it is root's, the lock.
func TestLocksOfOthers(t *testing.T) {
	rooted(t)
	base := publicDir(t)
	t.Setenv(RunDirVariable, base+"/run")
	if err := mustClaim(t, "tcplab9").Close(Stopped{}); err != nil {
		t.Fatal(err)
	}
	for _, uid := range []uint32{mallory, 65534} {
		for _, path := range []string{"", "/run", "/run/65534", "/run/.65534.lock"} {
			play(t, uid, "lock", base+path)
		}
	}
	var notes noteBook
	s, err := Claim(t.Context(), "tcplab0", &notes)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(Stopped{}); err != nil || notes.String() != "" {
		t.Errorf("%v; it waited: %s", err, &notes)
	}
}

// holdLock has the lock of RunDir held by a process of root's.
func holdLock(t *testing.T) (holder string) {
	t.Helper()
	t.Setenv(RunDirVariable, publicDir(t)+"/run")
	if err := mustClaim(t, "tcplab9").Close(Stopped{}); err != nil {
		t.Fatal(err)
	}
	cmd := play(t, 0, "lock", filepath.Join(RunDir(), ".65534.lock"))
	return fmt.Sprintf("process %d (", cmd.Process.Pid)
}

// Who waits for the lock says for whom, and ends at once when asked to.
func TestWaitingForTheLock(t *testing.T) {
	rooted(t)
	holder := holdLock(t)
	ctx, cancel := context.WithCancel(t.Context())
	notes := noteBook{said: cancel} // as if SIGTERM came then
	_, err := Claim(ctx, "tcplab0", &notes)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if !strings.Contains(notes.String(), "waiting for "+RunDir()+"/.65534.lock, which is locked by "+holder) {
		t.Errorf("said %q, want %q", &notes, holder)
	}
}

// The wait has an end, which names who is in the way.
func TestWaitingForTheLockEnds(t *testing.T) {
	rooted(t)
	holder := holdLock(t)
	defer func(d time.Duration) { lockTime = d }(lockTime)
	lockTime = 300 * time.Millisecond
	_, err := Claim(t.Context(), "tcplab0", nil)
	if err == nil || !strings.Contains(err.Error(), holder) || !strings.Contains(err.Error(), "not released within 300ms: end that process") {
		t.Errorf("error %v, want one that names %s", err, holder)
	}
}

// A lease keeps whoever opens a file waiting as a lock does (F_SETLEASE of fcntl(2)).
// The user who called sudo may have one on a lock in a directory of their own.
func TestLeaseOnTheLock(t *testing.T) {
	rooted(t)
	t.Setenv("SUDO_UID", "2002")
	t.Setenv("SUDO_GID", "2002")
	t.Setenv(RunDirVariable, mkdir(t, publicDir(t)+"/run", mallory, 0o755))
	if err := mustClaim(t, "tcplab9").Close(Stopped{}); err != nil {
		t.Fatal(err)
	}
	cmd := play(t, mallory, "lease", RunDir()+"/.2002.lock")
	ctx, cancel := context.WithCancel(t.Context())
	notes := noteBook{said: cancel}
	if _, err := Claim(ctx, "tcplab0", &notes); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if want := fmt.Sprintf("process %d (", cmd.Process.Pid); !strings.Contains(notes.String(), want) {
		t.Errorf("said %q, want %q", &notes, want)
	}
}

// leaseAndWait takes a lease on a file and does not give it up.
func leaseAndWait(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("begun")
	time.Sleep(time.Hour)
}

// noteBook keeps what is written to it, and calls said then.
type noteBook struct {
	said func()

	mu   sync.Mutex // guards the following
	text strings.Builder
}

func (n *noteBook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.said != nil {
		n.said()
	}
	return n.text.Write(p)
}

func (n *noteBook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}
