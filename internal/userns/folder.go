package userns

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tcplab/internal/control"
)

// folder is a new directory for the control socket. Both processes have it
// open, so that what is removed is what was made, whatever lies at its path.
type folder struct {
	place *os.Root // the directory that it is in, $TMPDIR
	dir   *os.Root
	path  string
}

// newFolder makes one that belongs to this process' user alone.
func newFolder() (*folder, error) {
	in := os.TempDir()
	place, err := os.OpenRoot(in)
	if err != nil {
		return nil, fmt.Errorf("making a folder for the control socket in %s: %w: set TMPDIR to a directory that you can write to", in, err)
	}
	f := &folder{place: place, path: filepath.Join(in, "tcplab-exec-"+strings.ToLower(rand.Text()[:10]))}
	if err := place.Mkdir(f.name(), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("making a folder for the control socket in %s: %w: set TMPDIR to a directory that you can write to", in, err), place.Close())
	}
	f.dir, err = place.OpenRoot(f.name())
	if err == nil && !f.isAt(f.path) {
		err = errors.Join(errors.New("somebody has put another in its place"), f.dir.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the folder %s: %w", f.path, err), place.Close())
	}
	return f, nil
}

func (f *folder) name() string { return filepath.Base(f.path) }

// files opens the folder and its place for another process.
func (f *folder) files() ([]*os.File, error) {
	place, err := f.place.Open(".")
	if err != nil {
		return nil, err
	}
	dir, err := f.dir.Open(".")
	if err != nil {
		return nil, errors.Join(err, place.Close())
	}
	return []*os.File{place, dir}, nil
}

// receiveFolder is the folder that another process has made: what files has
// opened there, and its path.
func receiveFolder(files []*os.File, path string) (*folder, error) {
	if len(files) != 2 {
		return nil, fmt.Errorf("the folder for the control socket, %s, came with %d descriptors, want 2", path, len(files))
	}
	f := &folder{path: path}
	for i, root := range []**os.Root{&f.place, &f.dir} {
		var err error
		*root, err = os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", files[i].Fd()))
		_ = files[i].Close()
		if err != nil {
			return nil, fmt.Errorf("opening the folder for the control socket, %s: %w", path, err)
		}
	}
	if !f.isAt(path) {
		return nil, fmt.Errorf("%s is not the folder that was made for the control socket any more", path)
	}
	return f, nil
}

// isAt reports whether the folder is what lies at path, as a directory and no
// link to one.
func (f *folder) isAt(path string) bool {
	there, err := os.Lstat(path)
	if err != nil {
		return false
	}
	own, err := f.dir.Stat(".")
	return err == nil && os.SameFile(there, own)
}

// use has control sockets be made in the folder, by this process and by what it
// starts.
func (f *folder) use() error { return os.Setenv(control.RunDirVariable, f.path) }

// remove removes what is in the folder, and the folder if it is still in its
// place. Another process may do the same at the same time.
func (f *folder) remove() error {
	err := f.empty()
	there, statErr := f.place.Lstat(f.name())
	own, ownErr := f.dir.Stat(".")
	if statErr == nil && ownErr == nil && os.SameFile(there, own) {
		// Were it exchanged now, for a file, that would be one which whoever did so
		// could remove as well.
		if removeErr := f.place.Remove(f.name()); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return errors.Join(err, f.dir.Close(), f.place.Close())
}

// empty removes what is in the folder. Links are removed, not followed.
func (f *folder) empty() error {
	dir, err := f.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(100)
		for _, name := range names {
			if err := f.dir.RemoveAll(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if errors.Is(err, io.EOF) || err != nil && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
