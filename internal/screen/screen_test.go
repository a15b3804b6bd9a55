package screen

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A shell draws, asks the terminal where the cursor is, and reads what is typed.
func TestScreen(t *testing.T) {
	s, err := New(40, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `printf 'one\033[3;5Htwo\033[31mred'; stty size; read word; printf '\033[2J\033[Hgot %s' "$word"; read end`)
	s.Attach(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(ctx, "one", "    twored5 40"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.Written(), "\x1b[31m") {
		t.Errorf("written %q", s.Written())
	}
	modes, err := s.Modes()
	if err != nil || modes.Lflag == 0 {
		t.Errorf("modes %+v, %v", modes, err)
	}
	if err := s.Type("word\n"); err != nil {
		t.Error(err)
	}
	if err := s.Await(ctx, "got word"); err != nil {
		t.Error(err)
	}
	if err := s.HangUp(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // the terminal has hung up on it
}

func TestAwaitGivesUp(t *testing.T) {
	s, err := New(40, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Await(ctx, "something"); err == nil {
		t.Error("something is seen on an empty screen")
	}
}
