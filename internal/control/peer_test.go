package control

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"tcplab/internal/endpoint"
)

// A user who is neither root nor the owner is refused also where the mode of the
// socket lets everybody connect.
func TestOthersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test is several users: run it as root, with scripts/test.sh")
	}
	t.Setenv("SUDO_UID", "1234")
	t.Setenv("SUDO_GID", "1234")
	dir, err := os.MkdirTemp("", "tcplab") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(RunDirVariable, dir+"/run")
	s := mustClaim(t, "tcplab0")
	s.Serve(nobodysInstance{})
	if err := os.Chmod(s.Path(), 0o666); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{
		0:     `"dev":"tcplab0"`,
		1234:  `"dev":"tcplab0"`,
		4321:  "the instance belongs to user 1234, and you are user 4321: use sudo",
		65534: "the instance belongs to user 1234, and you are user 65534: use sudo",
	} {
		curl := exec.CommandContext(t.Context(), "curl", "-sS", "--max-time", "30", "--unix-socket", s.Path(), "http://tcplab/v1/status")
		curl.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if out, err := curl.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("user %d: %s, %v; want %s", uid, out, err, want)
		}
	}
}

// nobodysInstance is one that has a status and nothing else.
type nobodysInstance struct{ Instance }

func (nobodysInstance) Status(int) endpoint.Status { return endpoint.Status{Dev: "tcplab0"} }

// A connection whose user cannot be known is refused.
func TestUnknownUserIsRefused(t *testing.T) {
	s := &Server{}
	handler := s.known(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let through") }))
	ours, theirs := net.Pipe()
	server := http.Server{Handler: handler, ConnContext: withUser}
	one := &oneConn{conn: theirs, closed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(one)
	}()
	if _, err := io.WriteString(ours, "GET /v1/status HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(ours)
	if err != nil || !strings.Contains(string(answer), "403 Forbidden") {
		t.Errorf("answer %s, %v; want 403", answer, err)
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-done
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Net: "unix"} }
