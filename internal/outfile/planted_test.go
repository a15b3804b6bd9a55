package outfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Users of the tests, who need not exist.
const (
	bob = 4321
	eve = 4322
)

// ground is where the tests plant things: a directory of each user, one where
// everybody may write, and a file that is root's alone.
type ground struct {
	*testing.T
	dir    string
	secret string
}

const secretText = "root's alone\n"

func newGround(t *testing.T) *ground {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test plants files of other users: run it as root, with scripts/test.sh")
	}
	dir, err := os.MkdirTemp("", "tcplab") // that of the test is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &ground{t, dir, filepath.Join(dir, "roots", "secret")}
	g.must(os.Chmod(dir, 0o755))
	for name, uid := range map[string]int{"bob": bob, "eve": eve, "roots": 0, "all": 0} {
		g.must(os.Mkdir(g.at(name), 0o755))
		g.must(os.Chown(g.at(name), uid, uid))
	}
	g.must(os.Chmod(g.at("all"), 0o777)) // no sticky bit: the kernel's protected_symlinks does not matter
	g.must(os.WriteFile(g.secret, []byte(secretText), 0o600))
	return g
}

func (g *ground) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *ground) at(name string) string { return filepath.Join(g.dir, name) }

// link plants a symbolic link of a user.
func (g *ground) link(target, name string, uid int) {
	g.Helper()
	g.must(os.Symlink(target, g.at(name)))
	g.must(os.Lchown(g.at(name), uid, uid))
}

// file makes a file of a user.
func (g *ground) file(name, text string, uid int, mode fs.FileMode) {
	g.Helper()
	g.must(os.WriteFile(g.at(name), []byte(text), mode))
	g.must(os.Chown(g.at(name), uid, uid))
}

// untouched wants root's file as it was.
func (g *ground) untouched() {
	g.Helper()
	got, err := os.ReadFile(g.secret)
	if err != nil || string(got) != secretText {
		g.Errorf("root's file is now %q, %v", got, err)
	}
	var st unix.Stat_t
	g.must(unix.Lstat(g.secret, &st))
	if st.Uid != 0 || st.Mode != unix.S_IFREG|0o600 {
		g.Errorf("root's file belongs to user %d now, its mode is %o", st.Uid, st.Mode)
	}
}

func (g *ground) owner(path string) int {
	g.Helper()
	var st unix.Stat_t
	g.must(unix.Lstat(path, &st))
	return int(st.Uid)
}

// called has sudo have been called by a user; 0 is root without sudo.
func called(t *testing.T, uid int) {
	text := ""
	if uid != 0 {
		text = strconv.Itoa(uid)
	}
	t.Setenv("SUDO_UID", text)
	t.Setenv("SUDO_GID", text)
}

// write makes a file with one line and rotates it once. It returns the error of
// making it.
func (g *ground) write(path string) error {
	g.Helper()
	f, err := Create("events", path, Rotation{Size: 1, Keep: 1})
	if err != nil {
		return err
	}
	err = errors.Join(f.Put([]byte("one\n")), f.Put([]byte("two\n")), f.Flush(), f.Close())
	if err != nil {
		g.Log(err)
	}
	return nil
}

// TestPlantedLinks has another user, or the one who called sudo, plant links to a
// file of root's where a file is to be made.
func TestPlantedLinks(t *testing.T) {
	for name, plant := range map[string]func(g *ground, dir string) (path string){
		"symbolic link": func(g *ground, dir string) string {
			g.link(g.secret, dir+"/x", g.owner(g.at(dir)))
			return dir + "/x"
		},
		"of another user's": func(g *ground, dir string) string {
			g.link(g.secret, dir+"/x", eve+1)
			return dir + "/x"
		},
		"hard link to a link of root's": func(g *ground, dir string) string {
			g.must(os.Symlink(g.secret, g.at("roots/link")))
			g.must(os.Link(g.at("roots/link"), g.at(dir+"/x")))
			return dir + "/x"
		},
		"to a link": func(g *ground, dir string) string {
			g.link("y", dir+"/x", eve)
			g.link(g.secret, dir+"/y", eve)
			return dir + "/x"
		},
		"to a directory": func(g *ground, dir string) string {
			g.link("../roots", dir+"/d", eve)
			return dir + "/d/secret"
		},
		"hard link": func(g *ground, dir string) string {
			g.must(os.Link(g.secret, g.at(dir+"/x")))
			return dir + "/x"
		},
		"beside it, where a full file goes": func(g *ground, dir string) string {
			g.link(g.secret, dir+"/x.1", eve)
			return dir + "/x"
		},
		"hard link there": func(g *ground, dir string) string {
			g.must(os.Link(g.secret, g.at(dir+"/x.1")))
			return dir + "/x"
		},
		"to nothing, in a directory of root's": func(g *ground, dir string) string {
			g.link(g.at("roots/new"), dir+"/x", eve)
			return dir + "/x"
		},
		"through /proc": func(g *ground, dir string) string {
			g.link("/proc/self/root"+g.secret, dir+"/x", eve)
			return dir + "/x"
		},
	} {
		for _, caller := range []int{0, bob} {
			for _, dir := range []string{"bob", "eve", "all"} {
				t.Run(name+"/"+dir+"/"+strconv.Itoa(caller), func(t *testing.T) {
					g := newGround(t)
					path := g.at(plant(g, dir))
					called(t, caller)
					err := g.write(path)
					t.Log(err)
					g.untouched()
					if _, err := os.Lstat(g.at("roots/new")); err == nil {
						t.Error("a file was made in root's directory")
					}
					d, err := MakeDir(filepath.Dir(path), 0o755)
					if err == nil {
						err = errors.Join(d.WriteFile(filepath.Base(path), []byte("report")), d.Replace(filepath.Base(path), []byte("history")), d.Close())
					}
					t.Log(err)
					if d, err = MakeOwnDir(filepath.Dir(path), 0o755); err == nil {
						err = errors.Join(d.WriteFile(filepath.Base(path), []byte("report")), d.Replace(filepath.Base(path), []byte("history")), d.Close())
					}
					t.Log(err)
					g.untouched()
					if _, err := os.Lstat(g.at("roots/new")); err == nil {
						t.Error("a file was made in root's directory")
					}
				})
			}
		}
	}
}

// TestExistingFiles holds that a file is overwritten only by whom it is open to,
// and keeps its owner.
func TestExistingFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		caller int // of sudo
		path   string
		plant  func(g *ground)
		fails  bool
		owner  int // afterwards
	}{
		{"bob's own", bob, "bob/x", func(g *ground) { g.file("bob/x", "old", bob, 0o644) }, false, bob},
		{"root's in a directory of bob's", bob, "bob/x", func(g *ground) { g.file("bob/x", "old", 0, 0o600) }, true, 0},
		{"root's, where bob may write", bob, "roots/x", func(g *ground) { g.file("roots/x", "old", 0, 0o666); g.must(os.Chmod(g.at("roots/x"), 0o666)) }, false, 0},
		{"eve's", bob, "all/x", func(g *ground) { g.file("all/x", "old", eve, 0o644) }, true, eve},
		{"new", bob, "bob/x", func(*ground) {}, false, bob},
		{"new where bob may not", bob, "roots/x", func(*ground) {}, true, 0},
		{"new in a directory that bob may not enter", bob, "roots/closed/x", func(g *ground) {
			g.must(os.Mkdir(g.at("roots/closed"), 0o700))
			g.must(os.Mkdir(g.at("roots/closed/bob"), 0o777))
		}, true, 0},
		{"through bob's own link", bob, "all/x", func(g *ground) { g.link(g.at("bob/y"), "all/x", bob) }, false, bob},
		{"through eve's link to a file of bob's", bob, "all/x", func(g *ground) {
			g.file("bob/y", "old", bob, 0o644)
			g.link(g.at("bob/y"), "all/x", eve)
		}, true, eve},
		{"root's own", 0, "roots/x", func(g *ground) { g.file("roots/x", "old", 0, 0o600) }, false, 0},
		{"bob's, by root, in root's directory", 0, "roots/x", func(g *ground) { g.file("roots/x", "old", bob, 0o600) }, false, bob},
		{"through root's own link", 0, "roots/x", func(g *ground) { g.link("y", "roots/x", 0) }, false, 0},
		{"new in bob's directory, by root", 0, "bob/x", func(*ground) {}, false, 0},
		{"a FIFO of eve's, by root", 0, "all/x", func(g *ground) {
			g.must(unix.Mkfifo(g.at("all/x"), 0o666))
			g.must(os.Chown(g.at("all/x"), eve, eve))
			reader, err := os.OpenFile(g.at("all/x"), os.O_RDONLY|unix.O_NONBLOCK, 0)
			g.must(err)
			g.Cleanup(func() { _ = reader.Close() })
		}, true, eve},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGround(t)
			test.plant(g)
			called(t, test.caller)
			f, err := Create("events", g.at(test.path), Rotation{})
			if err == nil {
				err = errors.Join(f.Put([]byte("new")), f.Flush(), f.Close())
			}
			if (err != nil) != test.fails {
				t.Errorf("%v, want a failure: %v", err, test.fails)
			}
			if info, statErr := os.Stat(g.at(test.path)); statErr == nil && info.Mode().IsRegular() {
				want := "old"
				if err == nil {
					want = "new"
				}
				if text, err := os.ReadFile(g.at(test.path)); string(text) != want {
					t.Errorf("it has %q, %v, want %q", text, err, want)
				}
			}
			var st unix.Stat_t
			if err := unix.Stat(g.at(test.path), &st); err == nil && int(st.Uid) != test.owner && !test.fails {
				t.Errorf("it belongs to %d, want %d", st.Uid, test.owner)
			}
			if own := os.Geteuid(); own != 0 {
				t.Errorf("the process is user %d now", own)
			}
			g.must(os.WriteFile(g.at("roots/still"), nil, 0o600)) // root's rights are back
		})
	}
}

// TestSwaps exchanges what is at a path all the time: a directory of root's for
// one of the user's, a link for a file. What is root's stays untouched, whoever
// called.
func TestSwaps(t *testing.T) {
	for _, caller := range []int{0, bob} {
		for _, swapped := range []string{"d", "d/secret"} {
			t.Run(strconv.Itoa(caller)+"/"+swapped, func(t *testing.T) {
				g := newGround(t)
				g.must(os.Mkdir(g.at("bob/d"), 0o755))
				g.must(os.Chown(g.at("bob/d"), bob, bob))
				g.file("bob/d/secret", "", bob, 0o644)
				if swapped == "d" {
					g.link("../roots", "bob/other", bob)
				} else {
					g.link("../../roots/secret", "bob/other", bob)
				}
				called(t, caller)
				stop := make(chan struct{})
				var swapping sync.WaitGroup
				swapping.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							_ = unix.Renameat2(unix.AT_FDCWD, g.at("bob/other"), unix.AT_FDCWD, g.at("bob/"+swapped), unix.RENAME_EXCHANGE)
						}
					}
				})
				made := 0
				for n := 0; n < 3000 && (n < 200 || made == 0); n++ {
					if g.write(g.at("bob/d/secret")) == nil {
						made++
					}
				}
				close(stop)
				swapping.Wait()
				t.Logf("%d files made", made)
				g.untouched()
				if _, err := os.Lstat(g.secret + ".1"); err == nil {
					t.Error("a file of root's was moved")
				}
			})
		}
	}
}

// The directory that a file was made in is the one where it is rotated, whatever
// has its name by then.
func TestDirectoryIsExchangedBeforeRotation(t *testing.T) {
	for _, caller := range []int{0, bob} {
		g := newGround(t)
		g.must(os.Mkdir(g.at("bob/d"), 0o755))
		g.must(os.Chown(g.at("bob/d"), bob, bob))
		called(t, caller)
		f, err := Create("events", g.at("bob/d/secret"), Rotation{Size: 1, Keep: 1})
		g.must(err)
		g.must(f.Put([]byte("one\n")))
		g.must(os.Rename(g.at("bob/d"), g.at("bob/moved")))
		g.link("../roots", "bob/d", bob)
		g.must(errors.Join(f.Put([]byte("two\n")), f.Flush(), f.Close()))
		g.untouched()
		if text, err := os.ReadFile(g.at("bob/moved/secret")); string(text) != "two\n" {
			t.Errorf("the new file has %q, %v", text, err)
		}
	}
}
