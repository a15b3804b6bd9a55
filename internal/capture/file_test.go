package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tcplab/internal/outfile"
)

// packets counts the packets of a capture, which must be whole.
func packets(t *testing.T, r io.Reader) int {
	t.Helper()
	n := 0
	for s := NewScanner(r); ; {
		switch block, err := s.Next(); {
		case errors.Is(err, io.EOF):
			return n
		case err != nil:
			t.Fatalf("after %d packets: %v", n, err)
		case block.kind() == enhancedPacket:
			n++
		}
	}
}

func inFile(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return packets(t, bytes.NewReader(data))
}

// FILE is the newest, FILE.1 older, and what is too old is removed. Each is a
// capture by itself, and none is larger than it may be.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pcapng")
	const size, many = 100_000, 1000
	f, err := Create(path, outfile.Rotation{Size: size, Keep: 3})
	if err != nil {
		t.Fatal(err)
	}
	e := newEncoder(t)
	block := encode(t, e, packet(400))
	err = f.Begin(e.Header())
	for range many {
		err = errors.Join(err, f.Block(block))
	}
	if err := errors.Join(err, f.End(e.End()), f.Close()); err != nil {
		t.Fatal(err)
	}
	perFile := (size - len(e.Header())) / len(block)
	for n, want := range []int{many % perFile, perFile, perFile, perFile} {
		name := path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", path, n)
		}
		if got := inFile(t, name); got != want {
			t.Errorf("%d packets in %s, want %d", got, name, want)
		}
		if info, _ := os.Stat(name); info.Size() > size+int64(len(e.End())) {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	if _, err := os.Stat(path + ".4"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a fourth full file is kept: %v", err)
	}
}

func TestCreateFails(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo:         "it is a FIFO that nobody reads: start its reader first",
		dir:          "is a directory: give a file",
		dir + "/a/b": "no such file or directory: give a file",
	} {
		if _, err := Create(path, outfile.Rotation{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// What cannot be renamed is not rotated.
func TestDeviceIsNotRotated(t *testing.T) {
	f, err := Create(os.DevNull, outfile.Rotation{Size: 10, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	e := newEncoder(t)
	err = f.Begin(e.Header())
	for range 10 {
		err = errors.Join(err, f.Block(encode(t, e, packet(10))))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(fmt.Sprintf("%s.1", os.DevNull)); err == nil {
		t.Error("the device was renamed")
	}
}
