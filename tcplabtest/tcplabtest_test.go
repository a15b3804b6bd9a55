package tcplabtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// short is a timeout that is to be over; long is one that is not.
const (
	short = 200 * time.Millisecond
	long  = time.Minute
)

func TestConnectTimeoutEndsIt(t *testing.T) {
	t.Parallel()
	addr := FullListener(t)
	conn, err := (&net.Dialer{Timeout: short}).DialContext(t.Context(), "tcp", addr)
	if err == nil {
		conn.Close()
		t.Fatal("connected, want a timeout")
	}
	if !isTimeout(err) {
		t.Fatalf("dialing fails with %v, want a timeout", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

func TestContextEndsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	if _, err := new(net.Dialer).DialContext(ctx, "tcp", FullListener(t)); !isTimeout(err) {
		t.Fatalf("dialing fails with %v, want a timeout", err)
	}
}

// TestReadTimeoutDoesNot has two HTTP clients: one that bounds the wait for the
// response's header, which is what many call its timeout, and one that bounds
// connecting. The first one waits for as long as it is let.
func TestReadTimeoutDoesNot(t *testing.T) {
	t.Parallel()
	url := "http://" + FullListener(t)
	get := func(transport *http.Transport, patience time.Duration) (err, letGo error) {
		defer transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		return err, ctx.Err()
	}
	reading := &http.Transport{ResponseHeaderTimeout: short}
	if err, letGo := get(reading, 10*short); err == nil || letGo == nil {
		t.Errorf("with a read timeout of %v: %v, want to wait for the %v that it is let", short, err, 10*short)
	}
	connecting := &http.Transport{DialContext: (&net.Dialer{Timeout: short}).DialContext}
	if err, letGo := get(connecting, long); !isTimeout(err) || letGo != nil {
		t.Errorf("with a connect timeout of %v: %v, want that to end it", short, err)
	}
}

func TestStaysFull(t *testing.T) {
	t.Parallel()
	addr := FullListener(t)
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			conn, err := net.DialTimeout("tcp", addr, 5*short)
			if err == nil {
				conn.Close()
				t.Error("one of 20 clients is connected, want none")
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				t.Error("one of 20 clients is refused, want none")
			}
		})
	}
	clients.Wait()
}

func TestClosedPort(t *testing.T) {
	t.Parallel()
	addr := ClosedPort(t)
	if _, err := net.DialTimeout("tcp", addr, long); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialing fails with %v, want connection refused", err)
	}
	if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr); err == nil {
		l.Close()
		t.Error("somebody else can listen there")
	}
}

// TestCleanup looks at the address when its test has ended.
func TestCleanup(t *testing.T) {
	var full, closed string
	t.Run("user", func(t *testing.T) { full, closed = FullListener(t), ClosedPort(t) })
	for _, addr := range []string{full, closed} {
		if _, err := net.DialTimeout("tcp", addr, long); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dialing %s afterwards fails with %v, want connection refused", addr, err)
		}
	}
}

// TestUnprivileged runs this package's tests as nobody.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		return // that is what the other tests show
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "test")
	copyFile(t, binary)
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=Timeout|Closed", "-test.v")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) != 3 {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}

// copyFile copies the running program to where everybody may run it.
func copyFile(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err == nil {
		_, err = io.Copy(out, in)
		err = errors.Join(err, out.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// failing is a testing.TB that remembers how it was failed.
type failing struct {
	testing.TB
	text string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(f)
}

// TestFails runs out of descriptors.
func TestFails(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	f := &failing{TB: t}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
		if recover() != f || !strings.Contains(f.text, "too many open files") {
			t.Errorf("without descriptors the test is failed with %q", f.text)
		}
	}()
	FullListener(f)
}
