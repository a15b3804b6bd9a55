package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newNamespace(t *testing.T, name string) *Namespace {
	t.Helper()
	n, err := New(name)
	if err != nil {
		t.Fatalf("these tests need root: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

var loopback = netip.MustParseAddrPort("127.0.0.1:8080")

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// A kernel's backlog of 1 lets two clients in; the others stay in SYN-SENT.
func TestClientsAtAFullKernelQueue(t *testing.T) {
	n := newNamespace(t, "")
	l, err := n.Listen(loopback, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var waiting *Client
	for i := range 3 {
		c, err := n.Connect(loopback)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i < 2 {
			if err := c.Wait(patience(t)); err != nil {
				t.Fatalf("client %d: %v", i, err)
			}
			if state, err := c.State(); state != Established {
				t.Errorf("client %d is %v (%v), want ESTABLISHED", i, state, err)
			}
		}
		waiting = c
	}
	if state, err := waiting.State(); state != SYNSent {
		t.Errorf("third client is %v (%v), want SYN-SENT", state, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waiting.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with an ended context: %v", err)
	}
}

func TestConnectionRefused(t *testing.T) {
	n := newNamespace(t, "")
	if _, err := n.Dial(patience(t), loopback); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connecting to a closed port: %v, want ECONNREFUSED", err)
	}
}

func TestNamespacesAreApart(t *testing.T) {
	a, b := newNamespace(t, ""), newNamespace(t, "")
	l, err := a.Listen(loopback, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := a.Dial(patience(t), loopback)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := b.Dial(patience(t), loopback); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("another namespace: %v, want ECONNREFUSED", err)
	}
}

func TestNamedNamespace(t *testing.T) {
	name := fmt.Sprintf("tcplab-test-%d", os.Getpid())
	n := newNamespace(t, name)
	out, err := exec.Command("ip", "netns", "exec", name, "ip", "-o", "link", "show", "lo").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "UP") {
		t.Errorf("ip netns exec: %v, %s; want lo UP", err, out)
	}
	if _, err := New(name); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second namespace of the same name: %v, want that it exists", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/run/netns/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the name is still there: %v", err)
	}
	if err := n.Do(func() error { return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("entering a closed namespace: %v", err)
	}
}

func TestSysctlAndPrograms(t *testing.T) {
	n := newNamespace(t, "")
	if err := n.Sysctl("net/core/somaxconn", "77"); err != nil {
		t.Fatal(err)
	}
	out, err := n.Output(exec.Command("cat", "/proc/sys/net/core/somaxconn"))
	if err != nil || strings.TrimSpace(string(out)) != "77" {
		t.Errorf("somaxconn inside is %s (%v), want 77", out, err)
	}
	if outside, _ := os.ReadFile("/proc/sys/net/core/somaxconn"); strings.TrimSpace(string(outside)) == "77" {
		t.Error("somaxconn outside was changed, too")
	}
}

func TestClientReset(t *testing.T) {
	n := newNamespace(t, "")
	l, err := n.Listen(loopback, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Connect(loopback)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(patience(t)); err != nil {
		t.Fatal(err)
	}
	fd, _, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Read(fd, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the server reads %v, want ECONNRESET", err)
	}
}
