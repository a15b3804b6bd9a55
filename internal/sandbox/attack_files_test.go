package sandbox

import (
	"fmt"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fileAttacks reach files outside, or make what is no regular file.
func fileAttacks() map[string]attack {
	// opens is a way to open a file of everybody's.
	opens := func(open func(path string) (int, error)) attack {
		return func(v *victim) func() error {
			return func() error { _, err := open(v.file()); return err }
		}
	}
	// onPath changes such a file by its name.
	onPath := func(change func(path string) error) attack {
		return func(v *victim) func() error { return func() error { return change(v.file()) } }
	}
	// makes has something made in the directory of the process's own.
	makes := func(create func(path string) error) attack {
		return func(v *victim) func() error {
			return func() error { return create(v.own("made")) }
		}
	}
	device := func(path string) attack {
		return func(*victim) func() error {
			return func() error { _, err := unix.Open(path, unix.O_RDWR, 0); return err }
		}
	}
	return map[string]attack{
		"open":       opens(func(path string) (int, error) { return unix.Open(path, unix.O_RDONLY, 0) }),
		"open-write": opens(func(path string) (int, error) { return unix.Open(path, unix.O_WRONLY, 0) }),
		"open-trunc": opens(func(path string) (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_TRUNC, 0) }),
		"open-new":   opens(func(path string) (int, error) { return unix.Open(path+"2", unix.O_CREAT|unix.O_WRONLY, 0o600) }),
		"openat2": opens(func(path string) (int, error) {
			return unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_RDONLY})
		}),
		"open-root": opens(func(path string) (int, error) { return unix.Open("/proc/self/root"+path, unix.O_RDONLY, 0) }),
		"open-dir-descriptor": func(v *victim) func() error {
			dir := v.open(v.dir, unix.O_PATH|unix.O_DIRECTORY)
			return func() error { _, err := unix.Openat(dir, v.name, unix.O_RDONLY, 0); return err }
		},
		"open-path-descriptor": func(v *victim) func() error {
			fd := v.open(v.file(), unix.O_PATH)
			return func() error {
				_, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
				return err
			}
		},
		"open-read-descriptor-again": func(v *victim) func() error {
			fd := v.open(v.file(), unix.O_RDONLY)
			return func() error {
				_, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDWR, 0)
				return err
			}
		},
		"open-symlink": func(v *victim) func() error {
			link := v.own("link")
			v.must(unix.Symlink(v.file(), link))
			return func() error { _, err := unix.Open(link, unix.O_RDONLY, 0); return err }
		},
		"open-by-handle": func(v *victim) func() error {
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, v.file(), 0)
			v.must(err)
			mount := v.open(v.dir, unix.O_RDONLY|unix.O_DIRECTORY)
			return func() error { _, err := unix.OpenByHandleAt(mount, handle, unix.O_RDONLY); return err }
		},
		"own-memory": func(*victim) func() error { // which mprotect does not hold
			return func() error { _, err := unix.Open("/proc/self/mem", unix.O_RDWR, 0); return err }
		},
		"own-name": func(*victim) func() error {
			return func() error { _, err := unix.Open("/proc/self/comm", unix.O_WRONLY, 0); return err }
		},
		"processes": func(*victim) func() error {
			return func() error { _, err := unix.Open("/proc/1/cmdline", unix.O_RDONLY, 0); return err }
		},
		"tun":      device("/dev/net/tun"),
		"terminal": device("/dev/ptmx"),
		"zero":     device("/dev/zero"),

		"hard-link": func(v *victim) func() error {
			return func() error { return unix.Link(v.file(), v.own("linked")) }
		},
		"rename-in": func(v *victim) func() error {
			return func() error { return unix.Rename(v.file(), v.own("moved")) }
		},
		"rename-out": func(v *victim) func() error {
			own := v.own("own")
			v.must(unix.Close(makeFile(v, own)))
			return func() error { return unix.Rename(own, filepath.Join(v.dir, "moved")) }
		},
		"remove":    onPath(unix.Unlink),
		"truncate":  onPath(func(path string) error { return unix.Truncate(path, 0) }),
		"chmod":     onPath(func(path string) error { return unix.Chmod(path, 0o777) }),
		"chown":     onPath(func(path string) error { return unix.Chown(path, 4321, 4321) }),
		"setxattr":  onPath(func(path string) error { return unix.Setxattr(path, "user.x", []byte("x"), 0) }),
		"utimes":    onPath(func(path string) error { return unix.Utimes(path, make([]unix.Timeval, 2)) }),
		"chdir":     func(v *victim) func() error { return func() error { return unix.Chdir(v.dir) } },
		"mkfifo":    makes(func(path string) error { return unix.Mkfifo(path, 0o600) }),
		"mksocket":  makes(func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }),
		"mkdevice":  makes(func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) }),
		"mkdir":     makes(func(path string) error { return unix.Mkdir(path, 0o700) }),
		"mksymlink": makes(func(path string) error { return unix.Symlink("/etc", path) }),

		"tun-attach": func(v *victim) func() error {
			fd := v.open("/dev/net/tun", unix.O_RDWR)
			return func() error {
				ifr, err := unix.NewIfreq("other0")
				if err != nil {
					return err
				}
				ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
				return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
			}
		},
		"terminal-input": func(v *victim) func() error { // TIOCSTI types for its user
			fd := v.open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY)
			return func() error {
				typed := byte('x')
				return call1(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, uintptr(unsafe.Pointer(&typed)))
			}
		},
	}
}

// own is a path in the directory of the process's own, for this attack alone.
func (v *victim) own(name string) string {
	return filepath.Join(v.dir, "writable", v.name+"-"+name)
}

// makeFile makes a file.
func makeFile(v *victim, path string) int {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o666)
	v.must(err)
	return fd
}
