package outfile

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// Rotation says when a file is full. The zero value is never.
//
// FILE is the one that is written; a full one becomes FILE.1, what was FILE.1
// becomes FILE.2, and so on; what would be beyond Keep is removed.
type Rotation struct {
	Size int64 // bytes that a file may have; 0 is any number
	Keep int   // full files that are kept beside the one that is written, at least 1
	// Optional has a file whose directory takes no further files be written up to
	// the bound of all files together, and end there. Otherwise that is an error.
	Optional bool
}

// Bound is how many bytes all files have together, but for what belongs to the end
// of one; 0 is any number.
func (r *Rotation) Bound() int64 {
	files := int64(max(r.Keep, 1) + 1)
	return min(r.Size, math.MaxInt64/files) * files
}

// Check says what is wrong with r.
func (r *Rotation) Check() error {
	if r.Size != 0 && r.Size < MinSize {
		return fmt.Errorf("give a size like 100MB, at least %s, or 0 for one file of any size", humanize.Bytes(MinSize))
	}
	return nil
}

// Totals are what became of the units of a File.
type Totals struct {
	Written uint64 // to files
	Removed uint64 // of those, in files that rotation removed
	Lost    uint64 // missing, as they came faster than they could be written
}

// MinSize is the least size of a file that is rotated: any packet fits in it.
const MinSize = 100_000

// bufferSize is enough for any packet with its comments in most cases.
const bufferSize = 128 << 10

// File is a file of units, such as the blocks of a capture or lines. It holds
// whole units only, also when the disk is full, and rotates.
type File struct {
	what   string // "capture", for errors
	path   string
	place  *place // nil for a descriptor
	rotate Rotation
	header []byte

	mu      sync.Mutex // guards changes of the following
	file    *os.File   // which Close may close while a write waits
	regular bool       // it can be cut

	moves   bool // it can be renamed
	w       *bufio.Writer
	written int64    // bytes of the current file, with those that w holds
	whole   int64    // bytes on the disk when w was empty last
	units   uint64   // in the current file, but for its header
	full    []uint64 // units of the full files that this File made, the newest first

	alone bool // no file can be made beside it: it ends at the bound

	totals struct{ written, removed, lost atomic.Uint64 }
}

// Create makes the file at path, in the place of one that is there. what names it
// in errors: "capture".
func Create(what, path string, rotate Rotation) (*File, error) {
	f := &File{what: what, path: path, rotate: rotate}
	var err error
	if number, ok := descriptor(path); ok {
		f.file, err = openDescriptor(path, number)
	} else {
		err = asOwner(f.locate)
	}
	if err == nil {
		err = f.begin()
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, unix.ENXIO):
		err = fmt.Errorf("%s to %s: it is a FIFO that nobody reads: start its reader first", what, path)
	case errors.As(err, new(*LinkError)):
		err = fmt.Errorf("%s to %w", what, err)
	default:
		err = fmt.Errorf("%s: %w: give a file that can be written", what, explain(err))
	}
	return nil, errors.Join(err, f.Close())
}

// locate finds the place, and makes the file in it.
func (f *File) locate(uid int) (err error) {
	if strings.HasSuffix(f.path, "/") {
		return &os.PathError{Op: "open", Path: f.path, Err: unix.EISDIR}
	}
	f.place, err = locate(f.path, uid, 0)
	if err != nil {
		return err
	}
	if f.place.name == "" && f.place.object == nil {
		return &os.PathError{Op: "open", Path: f.path, Err: unix.EISDIR}
	}
	return f.create(uid)
}

// create makes the file in its place, with the rights of the calling thread.
func (f *File) create(uid int) error {
	file, err := f.place.create(f.path, uid)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.file = file
	return err
}

// begin begins a file that has just been made.
func (f *File) begin() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.regular = info.Mode().IsRegular()
	f.mu.Unlock()
	f.moves = f.regular && f.place != nil && f.place.object == nil
	f.w = bufio.NewWriterSize(f.file, bufferSize)
	f.written, f.whole, f.units = 0, 0, 0
	return nil
}

// What is what the file has: "capture", "events".
func (f *File) What() string { return f.what }

// Path is where the file is.
func (f *File) Path() string { return f.path }

// Regular reports whether it is a file on a disk: no device, FIFO or the like.
func (f *File) Regular() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.regular
}

// Dir is a path to the directory in which files are made and renamed, whatever
// becomes of the directory's name; empty if none are.
func (f *File) Dir() string {
	if !f.moves || f.rotate.Size == 0 {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd(f.place.dir))
}

// Settle finds out whether the process can make files in Dir, now that its user is
// the one that it goes on as. If not, that is an error, or said in a note where
// Rotation is optional.
func (f *File) Settle() (note string, err error) {
	if f.Dir() == "" {
		return "", nil
	}
	refused := asOwner(func(int) error {
		return unix.Faccessat(fd(f.place.dir), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	})
	uid := sandbox.Owner().UID
	switch {
	case refused == nil:
		return "", nil
	case f.rotate.Optional:
		f.alone = true
		return fmt.Sprintf("%s to %s: user %d, as whom tcplab goes on, cannot make files beside it: so there is this one only, and it ends at %s",
			f.what, f.path, uid, humanize.Bytes(uint64(f.rotate.Bound()))), nil
	}
	return "", fmt.Errorf("%s in files of a size: tcplab goes on as user %d, who cannot make files beside %s: give a file in a directory where that user can", f.what, uid, f.path)
}

// Begin writes what each file begins with.
func (f *File) Begin(header []byte) error {
	f.header = header
	if err := f.put(header); err != nil {
		return err
	}
	return f.Flush()
}

// Put writes a unit, to a new file if the current one would be too large with it.
// It stays in memory until Flush or until there are many.
func (f *File) Put(unit []byte) error {
	full := f.rotate.Size > 0 && f.written+int64(len(unit)) > f.rotate.Size
	if full && f.moves && !f.alone && f.units > 0 {
		if err := f.next(); err != nil {
			return err
		}
	}
	if full && f.alone && f.written+int64(len(unit)) > f.rotate.Bound() {
		return errors.Join(fmt.Errorf("%s to %s: it has %s, which is its bound: it ends here", f.what, f.path, humanize.Bytes(uint64(f.rotate.Bound()))), f.Flush())
	}
	f.units++
	f.totals.written.Add(1)
	return f.put(unit)
}

// put buffers bytes. The buffer is emptied between units only.
func (f *File) put(unit []byte) error {
	if f.w.Available() < len(unit) {
		if err := f.Flush(); err != nil {
			return err
		}
	}
	n, err := f.w.Write(unit)
	f.written += int64(n)
	if err != nil {
		return f.failed(err)
	}
	return nil
}

// Flush hands on what was put.
func (f *File) Flush() error {
	if err := f.w.Flush(); err != nil {
		return f.failed(err)
	}
	f.whole = f.written
	return nil
}

// End writes the last unit, which belongs to the current file however large that
// is. The file stays open.
func (f *File) End(unit []byte) error {
	if err := f.put(unit); err != nil {
		return err
	}
	return f.Flush()
}

// failed cuts off the unit that was written in part, and says what happened.
func (f *File) failed(err error) error {
	if f.regular {
		_ = f.file.Truncate(f.whole) // it was removed or closed, perhaps
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	if errors.Is(err, os.ErrClosed) { // by Close, which does not wait for ever
		err = errors.New("it took nothing any more")
	}
	return fmt.Errorf("%s to %s: %w: it ends here, and holds what was written until now", f.what, f.path, err)
}

// next ends the current file, moves the full ones on and begins a new one.
func (f *File) next() error {
	if err := f.Flush(); err != nil {
		return err
	}
	if err := f.file.Close(); err != nil {
		return f.failed(err)
	}
	f.full = append([]uint64{f.units}, f.full...)
	keep := max(f.rotate.Keep, 1)
	for _, units := range f.full[min(keep, len(f.full)):] {
		f.totals.removed.Add(units)
	}
	f.full = f.full[:min(keep, len(f.full))]
	err := asOwner(func(uid int) error {
		if err := f.move(keep); err != nil {
			return fmt.Errorf("%s to %s: moving the full file away: %w: it ends here", f.what, f.path, err)
		}
		if err := f.create(uid); err != nil {
			return fmt.Errorf("%s: %w: it ends here", f.what, err)
		}
		return nil
	})
	if err == nil {
		err = f.begin()
	}
	if err != nil {
		return err
	}
	return f.put(f.header)
}

// move renames the file and the full ones. It follows no link: renameat(2) moves
// the names themselves.
func (f *File) move(keep int) error {
	dir := fd(f.place.dir)
	for n := keep - 1; n >= 0; n-- {
		err := unix.Renameat(dir, f.numbered(n), dir, f.numbered(n+1))
		if err != nil && (n == 0 || !errors.Is(err, unix.ENOENT)) {
			return err
		}
	}
	return nil
}

// numbered is the name of full file number n, the newest being 1.
func (f *File) numbered(n int) string {
	if n == 0 {
		return f.place.name
	}
	return fmt.Sprintf("%s.%d", f.place.name, n)
}

// Missed counts units that were lost before they could be put.
func (f *File) Missed(n uint64) { f.totals.lost.Add(n) }

// Totals are what became of the units so far. It is safe for concurrent use.
func (f *File) Totals() Totals {
	return Totals{Written: f.totals.written.Load(), Removed: f.totals.removed.Load(), Lost: f.totals.lost.Load()}
}

// Close closes the file. It may be called while a write to a FIFO waits, which
// then fails.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	if f.file != nil {
		err = f.file.Close()
	}
	if f.place != nil {
		err = errors.Join(err, f.place.close())
	}
	return err
}
