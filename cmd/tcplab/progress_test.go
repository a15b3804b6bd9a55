package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"tcplab/internal/screen"
)

// Long work says on a terminal how far it is, and leaves nothing of it behind.
func TestProgressOnATerminal(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		args []string
		says string
		ends string
	}{
		{[]string{"table", "--profiles", "bsd", "--max-backlog", "2"}, "\rmeasured 1 of ", "bsd"},
		{[]string{"compare", "--only", "handshake,backlog-0"}, "\rplayed 1 of 2", "2 exchanges"},
	} {
		term := b.at(b.tcplab(test.args...))
		term.ends(0)
		if err := term.Await(b.ctx, test.ends); err != nil {
			t.Error(err)
		}
		if !strings.Contains(strings.ReplaceAll(term.Written(), "\x1b[K", ""), test.says) {
			t.Errorf("%v: no progress in %q", test.args, term.Written())
		}
		if seen := term.Text(); strings.Contains(seen, strings.TrimSpace(test.says)) {
			t.Errorf("%v leaves its progress behind:\n%s", test.args, seen)
		}
	}
}

func TestNoProgressInAPipe(t *testing.T) {
	b := newBench(t)
	out := b.run("table", "--profiles", "bsd", "--max-backlog", "0")
	if strings.ContainsAny(out, "\r\x1b") || strings.Contains(out, "measured 1") {
		t.Errorf("in a pipe: %q", out)
	}
	bar := newProgress(&bytes.Buffer{}, "measured")
	bar.show(1, 2)
	bar.clear()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	bar = newProgress(w, "measured")
	bar.show(1, 2)
	bar.clear()
	_ = w.Close()
	if n, _ := r.Read(make([]byte, 10)); n != 0 {
		t.Error("something is written to a pipe")
	}
}

// The line is cut where the terminal ends, or it would not be cleared.
func TestProgressOnANarrowTerminal(t *testing.T) {
	s, err := screen.New(10, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := newBench(t)
	bar := newProgress(s.TTY, "measured")
	bar.show(999, 1000)
	if err := s.Await(b.ctx, "measured"); err != nil {
		t.Error(err)
	}
	bar.clear()
	if err := s.AwaitThat(b.ctx, func(seen string) bool { return strings.TrimSpace(seen) == "" }); err != nil {
		t.Error(err)
	}
}
