package capture

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// Rotation says when a file is full. The zero value is never.
//
// FILE is the one that is written; a full one becomes FILE.1, what was FILE.1
// becomes FILE.2, and so on; what would be beyond Keep is removed. Each is a
// capture by itself.
type Rotation struct {
	Size int64 // bytes that a file may have; 0 is any number
	Keep int   // full files that are kept beside the one that is written, at least 1
}

// MinSize is the least size of a file that is rotated: any packet fits in it.
const MinSize = 100_000

// File is a Sink that writes a file and rotates it. It holds whole blocks only,
// also when the disk is full.
type File struct {
	path    string
	rotate  Rotation
	file    *os.File
	regular bool // it can be renamed and cut
	w       *bufio.Writer
	header  []byte
	written int64 // bytes of the current file, with those that w holds
	whole   int64 // bytes on the disk when w was empty last
}

// Create makes the file at path, in the place of one that is there.
func Create(path string, rotate Rotation) (*File, error) {
	f := &File{path: path, rotate: rotate}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) open() error {
	// O_NONBLOCK: a FIFO that nobody reads is an error, not a place to wait.
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NONBLOCK, 0o644)
	switch {
	case errors.Is(err, unix.ENXIO):
		return fmt.Errorf("capture to %s: it is a FIFO that nobody reads: start its reader first", f.path)
	case err != nil:
		return fmt.Errorf("capture: %w: give a file that can be written", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.regular = file, info.Mode().IsRegular()
	if err := sandbox.Give(file); err != nil { // who renames it later, also in a directory like /tmp
		return errors.Join(err, file.Close())
	}
	f.w = bufio.NewWriterSize(file, blockSize)
	f.written, f.whole = 0, 0
	return nil
}

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Begin implements Sink.
func (f *File) Begin(header []byte) error {
	f.header = header
	if err := f.put(header); err != nil {
		return err
	}
	return f.Flush()
}

// Block implements Sink.
func (f *File) Block(block []byte) error {
	full := f.rotate.Size > 0 && f.written+int64(len(block)) > f.rotate.Size
	if full && f.regular && f.written > int64(len(f.header)) {
		if err := f.next(); err != nil {
			return err
		}
	}
	return f.put(block)
}

// put buffers a block. The buffer is emptied between blocks only.
func (f *File) put(block []byte) error {
	if f.w.Available() < len(block) {
		if err := f.Flush(); err != nil {
			return err
		}
	}
	n, err := f.w.Write(block)
	f.written += int64(n)
	if err != nil {
		return f.failed(err)
	}
	return nil
}

// Flush implements Sink.
func (f *File) Flush() error {
	if err := f.w.Flush(); err != nil {
		return f.failed(err)
	}
	f.whole = f.written
	return nil
}

// failed cuts off the block that was written in part, and says what happened.
func (f *File) failed(err error) error {
	if f.regular {
		_ = f.file.Truncate(f.whole) // it was removed or closed, perhaps
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("capture to %s: %w: it ends here, and holds what was written until now", f.path, err)
}

// next ends the current file, moves the full ones on and begins a new one.
func (f *File) next() error {
	if err := f.Flush(); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return f.failed(err)
	}
	for n := max(f.rotate.Keep, 1) - 1; n >= 0; n-- {
		err := os.Rename(f.numbered(n), f.numbered(n+1))
		if err != nil && (n == 0 || !errors.Is(err, os.ErrNotExist)) {
			return fmt.Errorf("capture to %s: moving the full file away: %w: it ends here", f.path, err)
		}
	}
	if err := f.open(); err != nil {
		return err
	}
	return f.put(f.header)
}

// numbered is the path of full file number n, the newest being 1.
func (f *File) numbered(n int) string {
	if n == 0 {
		return f.path
	}
	return fmt.Sprintf("%s.%d", f.path, n)
}

// End implements Sink. The file stays open.
func (f *File) End(block []byte) error {
	if err := f.put(block); err != nil {
		return err
	}
	return f.Flush()
}

// Close closes the file. It may be called while a write to a FIFO waits, which
// then fails.
func (f *File) Close() error { return f.file.Close() }
