package outfile

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lineOf is line number n.
func lineOf(n int) []byte { return fmt.Appendf(nil, "line %d\n", n) }

// Each line is in one file, whole, in order; what was rotated away is counted, and
// no file is larger than it may be.
func TestRotation(t *testing.T) {
	for _, many := range []int{1, 10, 99, 100, 1000} {
		path := filepath.Join(t.TempDir(), "x")
		const size, keep = 300, 3
		f, err := Create("events", path, Rotation{Size: size, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		err = f.Begin([]byte("header\n"))
		for n := range many {
			err = errors.Join(err, f.Put(lineOf(n)))
		}
		if err := errors.Join(err, f.End([]byte("end\n")), f.Close()); err != nil {
			t.Fatal(err)
		}
		var kept []string
		for n := keep; n >= 0; n-- {
			name := path
			if n > 0 {
				name = fmt.Sprintf("%s.%d", path, n)
			}
			text, err := os.ReadFile(name)
			if errors.Is(err, os.ErrNotExist) && n > 0 {
				continue
			}
			rest, headed := strings.CutPrefix(string(text), "header\n")
			if err != nil || !headed || len(text) > size+len("end\n") {
				t.Errorf("%s has %d bytes, %v: %q", name, len(text), err, text)
			}
			kept = append(kept, strings.SplitAfter(strings.TrimSuffix(rest, "end\n"), "\n")...)
		}
		got := strings.Join(kept, "")
		var want strings.Builder
		for n := int(f.Totals().Removed); n < many; n++ {
			want.Write(lineOf(n))
		}
		if got != want.String() {
			t.Errorf("%d lines, %d rotated away: kept\n%swant\n%s", many, f.Totals().Removed, got, &want)
		}
		if _, err := os.Stat(path + ".4"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a fourth full file is kept: %v", err)
		}
	}
}

// Where no file can be made beside it, a file of which that is not demanded is the
// only one, and ends at the bound of all of them.
func TestAlone(t *testing.T) {
	g := newGround(t)
	g.file("roots/x", "", 0, 0o666)
	g.must(os.Chmod(g.at("roots/x"), 0o666))
	called(t, bob)
	rotate := Rotation{Size: 300, Keep: 2}
	f, err := Create("events", g.at("roots/x"), rotate)
	g.must(err)
	if note, err := f.Settle(); err == nil || !strings.Contains(err.Error(), "user 4321, who cannot make files beside "+g.at("roots/x")) {
		t.Errorf("demanded: %q, %v", note, err)
	}
	g.must(f.Close())

	rotate.Optional = true
	f, err = Create("events", g.at("roots/x"), rotate)
	g.must(err)
	note, err := f.Settle()
	if err != nil || !strings.HasSuffix(note, "user 4321, as whom tcplab goes on, cannot make files beside it: so there is this one only, and it ends at 900 B") {
		t.Errorf("not demanded: %q, %v", note, err)
	}
	for n := 0; err == nil; n++ {
		err = f.Put(lineOf(n))
	}
	if !strings.HasSuffix(err.Error(), "it has 900 B, which is its bound: it ends here") {
		t.Error(err)
	}
	g.must(f.Close())
	text, err := os.ReadFile(g.at("roots/x"))
	if err != nil || len(text) > 900 || len(text) < 880 || text[len(text)-1] != '\n' {
		t.Errorf("it has %d bytes, %v", len(text), err)
	}
}

// full is a disk with room for so many bytes.
type full struct {
	*os.File
	room int
}

func (f *full) Write(p []byte) (int, error) {
	n, err := f.File.Write(p[:min(len(p), f.room)])
	f.room -= n
	if err == nil && n < len(p) {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: unix.ENOSPC}
	}
	return n, err
}

// When the disk is full, the file has whole lines, and the error says so.
func TestDiskFull(t *testing.T) {
	for room := 0; room < 300; room += 7 {
		path := filepath.Join(t.TempDir(), "x")
		f, err := Create("events", path, Rotation{})
		if err != nil {
			t.Fatal(err)
		}
		f.w = bufio.NewWriterSize(&full{f.file, room}, 30)
		const many = 20
		for n := range many {
			if err == nil {
				err = f.Put(lineOf(n))
			}
		}
		if err == nil {
			err = f.Flush()
		}
		text, _ := os.ReadFile(path)
		whole := strings.Count(string(text), "\n")
		var want strings.Builder
		for n := range whole {
			want.Write(lineOf(n))
		}
		if string(text) != want.String() {
			t.Fatalf("room for %d bytes: %q", room, text)
		}
		if err == nil {
			if whole != many {
				t.Fatalf("room for %d bytes: %d lines", room, whole)
			}
			f.Close()
			return
		}
		if want := path + ": no space left on device: it ends here"; !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), want) {
			t.Fatalf("room for %d bytes: %v, want %s", room, err, want)
		}
		f.Close()
	}
	t.Error("there was never room enough")
}

// Devices, FIFOs and descriptors are written as they are.
func TestNoRegularFile(t *testing.T) {
	for _, caller := range []int{0, bob} {
		g := newGround(t)
		called(t, caller)
		for _, path := range []string{os.DevNull, "/dev/full"} {
			f, err := Create("events", path, Rotation{Size: 1, Keep: 1})
			g.must(err)
			err = errors.Join(f.Put([]byte("one")), f.Put([]byte("two")), f.Flush(), f.Close())
			if full := path == "/dev/full"; full != errors.Is(err, unix.ENOSPC) || !full && err != nil {
				t.Errorf("%s: %v", path, err)
			}
			if _, err := os.Lstat(path + ".1"); err == nil {
				t.Errorf("%s was renamed", path)
			}
		}

		fifo := g.at("bob/fifo")
		g.must(unix.Mkfifo(fifo, 0o600))
		g.must(os.Chown(fifo, caller, caller))
		if _, err := Create("events", fifo, Rotation{}); err == nil || !strings.Contains(err.Error(), "start its reader first") {
			t.Errorf("a FIFO that nobody reads: %v", err)
		}
		reader, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
		g.must(err)
		wantThrough(g, fifo, reader)

		// A pipe of root's, which the caller could not open.
		reader, writer, err := os.Pipe()
		g.must(err)
		wantThrough(g, fmt.Sprintf("/dev/fd/%d", writer.Fd()), reader)
		g.must(writer.Close())
		if caller == 0 { // a link to it: root's own
			reader, writer, err := os.Pipe()
			g.must(err)
			g.link(fmt.Sprintf("/proc/self/fd/%d", writer.Fd()), "roots/pipe", 0)
			wantThrough(g, g.at("roots/pipe"), reader)
			g.must(writer.Close())
		}

		// What is open for reading does not become open for writing.
		secret, err := os.Open(g.secret)
		g.must(err)
		for _, dir := range []string{"/dev/fd", "/proc/self/fd", "/dev/./fd"} {
			if _, err := Create("events", fmt.Sprintf("%s/%d", dir, secret.Fd()), Rotation{}); err == nil {
				t.Errorf("%s: what was open for reading was opened for writing", dir)
			}
		}
		g.must(secret.Close())
		g.untouched()
	}
}

// wantThrough wants what is written to path to come out of reader, and closes it.
func wantThrough(g *ground, path string, reader *os.File) {
	g.Helper()
	f, err := Create("events", path, Rotation{Size: 1, Keep: 1})
	g.must(err)
	g.must(errors.Join(f.Put([]byte("one")), f.Put([]byte("two")), f.Flush()))
	got := make([]byte, 6)
	if n, err := reader.Read(got); string(got[:n]) != "onetwo" {
		g.Errorf("%s: %q came out, %v", path, got[:n], err)
	}
	g.must(errors.Join(f.Close(), reader.Close()))
}

// What cannot be made says why, and what to give.
func TestCreateFails(t *testing.T) {
	g := newGround(t)
	g.link("loop", "roots/loop", 0)
	for path, want := range map[string]string{
		g.at("roots"):         "is a directory: give a file",
		g.at("roots") + "/":   "is a directory: give a file",
		g.at("roots/x/y"):     "no such file or directory: give a file",
		g.at("roots") + "/x/": "is a directory: give a file",
		g.secret + "/x":       "not a directory: give a file",
		g.at("roots/loop"):    "too many levels of symbolic links: give a file",
		"":                    "no such file or directory: give a file",
		g.at("roots/../eve"):  "is a directory: give a file",
	} {
		if _, err := Create("events", path, Rotation{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	g.link(g.secret, "eve/x", eve)
	called(t, bob)
	for path, want := range map[string]string{
		g.at("roots/x"): "permission denied: files are opened as user 4321, who called sudo (as root: sudo env -u SUDO_UID tcplab ...): give a file that can be written",
		g.at("eve/x"):   `events to ` + g.at("eve/x") + `: "x" is a symbolic link of user 4322 in a directory that others can write to, it is not followed: give the path that it leads to`,
	} {
		if _, err := Create("events", path, Rotation{}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// A relative path begins in the working directory, whose parents the user need not
// be able to enter.
func TestRelative(t *testing.T) {
	g := newGround(t)
	g.must(os.Mkdir(g.at("roots/closed"), 0o700))
	g.must(os.Mkdir(g.at("roots/closed/bob"), 0o755))
	g.must(os.Chown(g.at("roots/closed/bob"), bob, bob))
	t.Chdir(g.at("roots/closed/bob"))
	called(t, bob)
	for _, path := range []string{"x", "./x", ".//x"} {
		g.must(g.write(path))
		if got := g.owner(g.at("roots/closed/bob/x.1")); got != bob {
			t.Errorf("%s: its full file belongs to %d", path, got)
		}
	}
	if err := g.write("../x"); err == nil {
		t.Error("a file was made where bob may not")
	}
	d, err := MakeDir("a/b/c", 0o755)
	g.must(err)
	g.must(errors.Join(d.WriteFile("x", []byte("report")), d.Close()))
	if got := g.owner(g.at("roots/closed/bob/a/b/c/x")); got != bob {
		t.Errorf("the report belongs to %d", got)
	}
	if _, err := MakeDir("x", 0o755); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file as a directory: %v", err)
	}
}
