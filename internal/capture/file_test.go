package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
	f, err := Create(path, Rotation{Size: size, Keep: 3})
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
		name := f.numbered(n)
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

// When the disk is full, the file has whole blocks, and the error says so.
func TestDiskFull(t *testing.T) {
	for room := 0; room < 2500; room += 7 {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		f, err := Create(path, Rotation{})
		if err != nil {
			t.Fatal(err)
		}
		f.w = bufio.NewWriterSize(&full{f.file, room}, 300)
		e := newEncoder(t)
		err = f.Begin(e.Header())
		written := 0
		for range 20 {
			if err == nil {
				err = f.Block(encode(t, e, packet(10)))
				written++
			}
		}
		if err == nil {
			err = f.Flush()
		}
		if err == nil {
			if n := inFile(t, path); n != 20 {
				t.Fatalf("room for %d bytes: %d packets", room, n)
			}
			return
		}
		if want := path + ": no space left on device: it ends here"; !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), want) {
			t.Fatalf("room for %d bytes: %v, want %s", room, err, want)
		}
		if n := inFile(t, path); n > written {
			t.Fatalf("room for %d bytes: %d packets", room, n)
		}
		f.Close()
	}
	t.Error("there was never room enough")
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
		if _, err := Create(path, Rotation{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// What cannot be renamed is not rotated.
func TestDeviceIsNotRotated(t *testing.T) {
	f, err := Create(os.DevNull, Rotation{Size: 10, Keep: 1})
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
