package outfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Dir is a directory that files are written into.
type Dir struct {
	place *place
	path  string
	as    rights
}

// MakeDir opens a directory, and makes it with its parents if it is missing, for
// perm less the umask.
func MakeDir(path string, perm os.FileMode) (*Dir, error) { return makeDir(path, perm, asOwner) }

// MakeOwnDir is MakeDir for a directory that nobody named, as that of a cache: it
// is of the process's user, also with sudo, which sets HOME.
func MakeOwnDir(path string, perm os.FileMode) (*Dir, error) { return makeDir(path, perm, asSelf) }

func makeDir(path string, perm os.FileMode, as rights) (*Dir, error) {
	d := &Dir{path: path, as: as}
	err := as(func(uid int) (err error) {
		d.place, err = locate(path, uid, perm)
		return err
	})
	if err != nil {
		return nil, explain(err)
	}
	return d, nil
}

// WriteFile makes a file in the directory, in the place of one that is there.
func (d *Dir) WriteFile(name string, data []byte) error {
	var file *os.File
	err := d.as(func(uid int) (err error) {
		file, err = (&place{dir: d.place.dir, name: name}).create(d.path+"/"+name, uid)
		return err
	})
	if err != nil {
		return explain(err)
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// Replace is WriteFile for a file that others read meanwhile: they see what was
// there before, or all of data.
func (d *Dir) Replace(name string, data []byte) error {
	made := fmt.Sprintf(".%s.%d", name, os.Getpid())
	err := d.WriteFile(made, data)
	return d.as(func(int) error {
		dir := fd(d.place.dir)
		if err == nil {
			err = unix.Renameat(dir, made, dir, name)
		}
		if err != nil {
			_ = unix.Unlinkat(dir, made, 0) // it is not there, perhaps
		}
		return err
	})
}

// Close ends the use of d.
func (d *Dir) Close() error { return d.place.close() }
