package control

import (
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
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/events"
)

// place is where the socket of tcplab0 would be in a user's directory, which belongs
// to owner.
func place(t *testing.T, uid, owner int) string {
	t.Helper()
	a, err := locate("tcplab0")
	if err != nil {
		t.Fatal(err)
	}
	dir := fmt.Sprintf("%s/%d", RunDir(), uid)
	if _, err := os.Lstat(dir); err != nil {
		mkdir(t, dir, owner, 0o755)
	}
	return filepath.Join(dir, a.file())
}

// rootsRunDir has sockets made in a directory that is root's and that all can read.
func rootsRunDir(t *testing.T) {
	t.Helper()
	rooted(t)
	t.Setenv(RunDirVariable, mkdir(t, publicDir(t)+"/run", 0, 0o755))
}

// wantNobody asks as root, and wants that nobody answers, for a reason, soon.
func wantNobody[E error](t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stopped, err := newClient(t).Down(ctx)
	if _, ok := errors.AsType[E](err); !ok || !strings.Contains(err.Error(), want) {
		t.Errorf("down: %+v, %v; want %q", stopped, err, want)
	}
	if _, err := newClient(t).Status(ctx, 0); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("status: %v; want %q", err, want)
	}
	if err := newClient(t).Events(ctx, "", nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("events: %v; want %q", err, want)
	}
}

// Who is neither root nor the owner of the place is not asked, and keeps nobody from
// the name.
func TestImpostors(t *testing.T) {
	for _, test := range []struct {
		name         string
		dir, owner   int
		mode         os.FileMode
		uid          uint32
		stillWorking bool // a claim in the same directory
	}{
		{"a service of nobody's, in the directory of root's instances", 65534, 65534, 0o755, 65534, true},
		{"another user, in a directory that its owner left open", alice, alice, 0o777, mallory, true},
		{"a service of nobody's, in a user's directory", alice, alice, 0o777, 65534, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			rootsRunDir(t)
			path := place(t, test.dir, test.owner)
			if err := os.Chmod(filepath.Dir(path), test.mode); err != nil {
				t.Fatal(err)
			}
			cmd := play(t, test.uid, "plant", path)
			wantNobody[*ImpostorError](t, fmt.Sprintf("process %d of user %d listens there", cmd.Process.Pid, test.uid))
			s := mustClaim(t, "tcplab0")
			s.Serve(nobodysInstance{})
			if status, err := newClient(t).Status(t.Context(), 0); err != nil || status.Dev != "tcplab0" {
				t.Errorf("root's own instance: %+v, %v", status, err)
			}
		})
	}
}

// A directory that is not the user's whose number it has does not count.
func TestDirectoryInTheNameOfAnother(t *testing.T) {
	rooted(t)
	t.Setenv(RunDirVariable, mkdir(t, publicDir(t)+"/run", 0, 0o777|os.ModeSticky))
	play(t, mallory, "plant", place(t, alice, mallory))
	play(t, mallory, "plant", place(t, 65534, mallory))
	wantNobody[*NotRunningError](t, "no tcplab is running on tcplab0")
	if got := Running(); len(got) != 0 {
		t.Errorf("running: %v", got)
	}
}

// The instance of a user, or what passes for it, is told apart: root's own is
// preferred, whoever else listens at the name, and other users are sent away.
func TestInstanceOfAnotherUser(t *testing.T) {
	rootsRunDir(t)
	cmd := play(t, mallory, "plant", place(t, mallory, mallory))
	var notes noteBook
	client, err := NewClient("tcplab0", &notes)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if status, err := client.Status(t.Context(), 0); err != nil || status.Dev != "/v1/status" {
			t.Errorf("%+v, %v", status, err)
		}
	}
	if want := fmt.Sprintf("tcplab: who answers for tcplab0 is process %d of user 2002, who is not root: what it says may be wrong\n", cmd.Process.Pid); notes.String() != want {
		t.Errorf("notes %q, want %q", &notes, want)
	}
	if out := ask1(t, alice); !strings.Contains(out, "belongs to user 2002: use sudo") {
		t.Errorf("as another user: %s", out)
	}
	if out := ask1(t, mallory); !strings.Contains(out, "dev /v1/status") {
		t.Errorf("as the same user: %s", out)
	}

	s := mustClaim(t, "tcplab0") // the name is not taken
	s.Serve(nobodysInstance{})
	if status, err := newClient(t).Status(t.Context(), 0); err != nil || status.Dev != "tcplab0" {
		t.Errorf("root's own instance: %+v, %v", status, err)
	}
}

// ask1 asks for the status as a user, and returns what came.
func ask1(t *testing.T, uid uint32) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVariable+"=ask")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func askOnce(string) {
	client, err := NewClient("tcplab0", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	status, err := client.Status(context.Background(), 0)
	fmt.Printf("dev %s, error %v\n", status.Dev, err)
}

// The name is taken if another user's process listens and the interface is there.
func TestNameOfAnotherUsersInterface(t *testing.T) {
	rootsRunDir(t)
	path := strings.Replace(place(t, mallory, mallory), "tcplab0", "lo", 1)
	cmd := play(t, mallory, "plant", path)
	_, err := Claim(t.Context(), "lo", nil)
	var running *RunningError
	if !errors.As(err, &running) || running.PID != cmd.Process.Pid || running.UID != mallory {
		t.Errorf("error %v, want one that names process %d of user %d", err, cmd.Process.Pid, mallory)
	}
}

// A link, of either kind, leads root to no other service's socket.
func TestSocketsOfOtherServices(t *testing.T) {
	for _, kind := range []string{"symbolic", "hard"} {
		t.Run(kind, func(t *testing.T) {
			rootsRunDir(t)
			service := filepath.Join(filepath.Dir(RunDir()), "service.sock")
			l, err := net.Listen("unix", service)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			path := place(t, mallory, mallory)
			if kind == "hard" {
				err = os.Link(service, path)
			} else {
				err = os.Symlink(service, path)
			}
			if err != nil {
				t.Fatal(err)
			}
			wantNobody[*NotRunningError](t, "no tcplab is running")
			mustClaim(t, "tcplab0")
			if err := l.(*net.UnixListener).SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if conn, err := l.Accept(); err == nil {
				conn.Close()
				t.Error("the service was connected to")
			}
		})
	}
}

// What is no socket, or one at which nobody accepts, keeps nobody waiting.
func TestNothingBlocks(t *testing.T) {
	defer func(answer, down time.Duration) { answerTime, downTime = answer, down }(answerTime, downTime)
	answerTime, downTime = 300*time.Millisecond, 300*time.Millisecond
	for _, kind := range []uint32{unix.S_IFIFO, unix.S_IFREG, unix.S_IFDIR} {
		rootsRunDir(t)
		path := place(t, mallory, mallory)
		var err error
		if kind == unix.S_IFDIR {
			err = os.Mkdir(path, 0o755)
		} else {
			err = unix.Mknod(path, kind|0o666, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		wantNobody[*NotRunningError](t, "no tcplab is running")
		mustClaim(t, "tcplab0")
	}

	rootsRunDir(t)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	path := place(t, 65534, 65534)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 5)); err != nil {
		t.Fatal(err)
	}
	wantNobody[*SilentError](t, fmt.Sprintf("process %d, does not answer", os.Getpid())) // it never accepts
	for range 10 {                                                                       // and then its queue is full
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			defer conn.Close()
		}
	}
	wantNobody[*SilentError](t, "does not answer")
}

// A socket that its owner has renamed is not taken for the one of that name.
func TestRenamedSocket(t *testing.T) {
	rootsRunDir(t)
	t.Setenv("SUDO_UID", "2002")
	t.Setenv("SUDO_GID", "2002")
	s := mustClaim(t, "lab1")
	s.Serve(nobodysInstance{})
	if err := os.Rename(s.Path(), place(t, mallory, mallory)); err != nil {
		t.Fatal(err)
	}
	wantNobody[*ServerError](t, "its socket was renamed")
	select {
	case <-s.Asked():
		t.Error("the wrong instance was asked to go down")
	default:
	}
}

// hostile are texts that change what a terminal shows.
var hostile = []string{"\x1b]0;owned\x07", "\u009b31m", "\u202etxt.exe", "two\nlines", "\x7f", "\r", "\u2066", "\U000e0041", "\u061c"}

// serveBytes is an instance that answers with bytes of its own.
func serveBytes(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	rootsRunDir(t)
	l, err := net.Listen("unix", place(t, 65534, 65534))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return newClient(t)
}

// Nothing that an instance answers reaches a terminal as it is: no text, no address, no
// name of a counter, no error.
func TestAnswersArePrintable(t *testing.T) {
	for _, text := range hostile {
		client := serveBytes(t, func(w http.ResponseWriter, r *http.Request) {
			quoted := strings.ReplaceAll(fmt.Sprintf("%+q", text), `\x`, `\u00`)
			quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\a`, `\u0007`), `\U000e0041`, `\udb40\udc41`)
			address := fmt.Sprintf(`"[fe80::1%%%s]:80"`, quoted[1:len(quoted)-1])
			switch r.URL.Path {
			case "/v1/set":
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"error":%s}`, quoted)
			case "/v1/events":
				fmt.Fprintf(w, `{"event":%s,"kind":%[1]s,"reason":%[1]s,"profile":%[1]s,"verdict":%[1]s,"client":%s}`+"\n", quoted, address)
			case "/v1/down":
				fmt.Fprintf(w, `{"error":%s,"totals":{%[1]s:1}}`, quoted)
			default:
				fmt.Fprintf(w, `{"dev":%s,"app":%[1]s,"accept":%[1]s,"changed":[%[1]s],"ended":[%[1]s],"totals":{%[1]s:1},"counters":{%[1]s:1},
					"sockets":[{"state":%[1]s,"local":%s,"peer":%[2]s}],"clients":[%[2]s],
					"listeners":[{"profile":%[1]s,"rule":%[1]s,"syn_timeout":%[1]s,"incomplete":{"entries":[{"client":%[2]s,"state":%[1]s}]}}]}`, quoted, address)
			}
		})
		check := func(what string, got any, err error) {
			t.Helper()
			if shown := fmt.Sprintf("%+v", got); strings.Contains(shown, text) || err != nil || !strings.Contains(shown, `\u`) {
				t.Errorf("%s of %q: %s, %v", what, text, shown, err)
			}
		}
		status, err := client.Status(t.Context(), 1)
		check("status", status, err)
		if len(status.Listeners) > 0 && len(status.Listeners[0].Incomplete.Entries) > 0 {
			check("an address", status.Listeners[0].Incomplete.Entries[0].Client, nil)
		}
		counters, err := client.Counters(t.Context())
		check("counters", counters, err)
		sockets, err := client.Sockets(t.Context(), 1)
		check("sockets", sockets, err)
		taken, err := client.Accept(t.Context(), 1)
		check("accept", taken, err)
		err = client.Events(t.Context(), "", func(r *events.Record) error {
			check("event", *r, nil)
			check("line of an event", r.Text(true), nil)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		_, err = client.Set(t.Context(), map[string]string{"backlog": "1"})
		stopped, downErr := client.Down(t.Context())
		if text == "two\nlines" { // the second line cannot pass for one of ours
			if want := "two\n  lines"; err == nil || err.Error() != want || stopped.Error != want {
				t.Errorf("error %q, down %q", err, stopped.Error)
			}
			continue
		}
		check("error", err, nil)
		check("down", stopped.Error, downErr)
	}
}

// An answer without an end, or to another place, is none.
func TestAnswersWithoutAnEnd(t *testing.T) {
	defer func(n int64) { maxAnswer = n }(maxAnswer)
	maxAnswer = 1 << 20
	client := serveBytes(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/counters":
			http.Redirect(w, r, "/v1/down", http.StatusTemporaryRedirect)
		case "/v1/accept":
			w.WriteHeader(http.StatusAccepted)
		default:
			_, _ = io.WriteString(w, `{"dev":"`)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
					return
				}
			}
		}
	})
	if _, err := client.Status(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("status: %v", err)
	}
	if err := client.Events(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("events: %v", err)
	}
	if _, err := client.Counters(t.Context()); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirection: %v", err)
	}
	if _, err := client.Accept(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "202") {
		t.Errorf("another status: %v", err)
	}
}
