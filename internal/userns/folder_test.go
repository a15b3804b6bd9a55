package userns

import (
	"os"
	"path/filepath"
	"testing"
)

// victim is a directory with a file that must stay.
func victim(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "precious")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func makeFolder(t *testing.T) *folder {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	f, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info, err)
	}
	return f
}

// What is in the folder goes with it; what is linked there stays.
func TestFolderIsRemoved(t *testing.T) {
	f := makeFolder(t)
	dir, file := victim(t)
	for _, err := range []error{
		os.Symlink(dir, filepath.Join(f.path, "link")), os.MkdirAll(filepath.Join(f.path, "65534", "deeper"), 0o700),
		os.Symlink(dir, filepath.Join(f.path, "65534", "deeper", "link")), os.WriteFile(filepath.Join(f.path, "x.sock"), nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 250 {
		if _, err := os.CreateTemp(f.path, ""); err != nil {
			t.Fatal(err)
		}
	}
	files, err := f.files()
	if err != nil {
		t.Fatal(err)
	}
	other, err := receiveFolder(files, f.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*folder{f, other} { // both processes do it
		if err := f.remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(f.path); !os.IsNotExist(err) {
		t.Errorf("the folder is there still: %v", err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("what was linked is gone: %v", err)
	}
}

// What somebody has put in the place of the folder is not what this run made.
func TestFolderExchanged(t *testing.T) {
	for name, exchange := range map[string]func(dir, path string) error{
		"a directory": os.Rename,
		"a link":      os.Symlink,
	} {
		f := makeFolder(t)
		dir, _ := victim(t)
		moved := f.path + "-moved"
		if err := os.Rename(f.path, moved); err != nil {
			t.Fatal(err)
		}
		if err := exchange(dir, f.path); err != nil {
			t.Fatal(err)
		}
		files, err := f.files()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := receiveFolder(files, f.path); err == nil {
			t.Errorf("%s in its place is taken for the folder", name)
		}
		if err := f.remove(); err != nil {
			t.Errorf("%s in its place: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(f.path, "precious")); err != nil {
			t.Errorf("%s in its place has lost what it had: %v", name, err)
		}
	}
}
