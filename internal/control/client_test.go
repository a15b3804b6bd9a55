package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestNobodyRuns(t *testing.T) {
	runDir(t)
	client := newClient(t)
	check := func(want string) {
		t.Helper()
		_, err := client.Status(t.Context(), 1)
		if !errors.As(err, new(*NotRunningError)) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	check("start one with sudo tcplab up")

	other := mustClaim(t, "lab1")
	leaveStale(t, socketPath(t, "tcplab0"))
	check("choose one that is with --dev lab1")
	if err := other.Close(Stopped{}); err != nil {
		t.Fatal(err)
	}

	elsewhere, err := net.Listen("unix", address{1, "tcplab0"}.own())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = elsewhere.Close() }()
	check("there are 1 in other namespaces")
}

func TestInstanceThatDoesNotAnswer(t *testing.T) {
	runDir(t)
	mustClaim(t, "tcplab0") // and never serves
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newClient(t).Status(ctx, 1)
	if !errors.As(err, new(*SilentError)) || !strings.Contains(err.Error(), fmt.Sprintf("kill %d", os.Getpid())) {
		t.Errorf("error %v, want one that names the process", err)
	}
}

func TestInstanceThatEndsWithoutAnAnswer(t *testing.T) {
	runDir(t)
	server := mustClaim(t, "tcplab0")
	go func() {
		if conn, err := server.socket.Accept(); err == nil {
			_, _ = conn.Read(make([]byte, 1000))
			_ = conn.Close()
		}
	}()
	if _, err := newClient(t).Down(t.Context()); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("error %v", err)
	}
}

func TestClientThatIsInterrupted(t *testing.T) {
	runDir(t)
	mustClaim(t, "tcplab0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newClient(t).Status(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
