package control

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// RunDirVariable is the environment variable that overrides where the sockets
// of running instances are.
const RunDirVariable = "TCPLAB_RUN_DIR"

// RunDir is the directory with the sockets of running instances. Each user has a
// directory of its own in it, named by its number, from which an instance can
// remove its socket when it is no longer root.
func RunDir() string { return cmp.Or(os.Getenv(RunDirVariable), "/run/tcplab") }

// userDir is the directory in RunDir for the instances of this process' user.
func userDir() string { return filepath.Join(RunDir(), strconv.Itoa(sandbox.Target().UID)) }

// userDirs are the directories of all users.
func userDirs() []string {
	entries, _ := os.ReadDir(RunDir()) // nothing there, or nothing to be seen
	var dirs []string
	for _, entry := range entries {
		if _, err := strconv.ParseUint(entry.Name(), 10, 32); err == nil && entry.IsDir() {
			dirs = append(dirs, filepath.Join(RunDir(), entry.Name()))
		}
	}
	return dirs
}

// address names an instance: the network namespace's inode and the interface.
type address struct {
	namespace uint64
	dev       string
}

// locate is the address of dev in the network namespace of the calling thread.
func locate(dev string) (address, error) {
	if dev == "" || len(dev) >= unix.IFNAMSIZ || dev == "." || dev == ".." || strings.ContainsAny(dev, "/: \t\n\x00") {
		return address{}, fmt.Errorf("%q is no name of an interface: give 1 to %d characters without slash, colon and space", dev, unix.IFNAMSIZ-1)
	}
	namespace, err := currentNamespace()
	return address{namespace, dev}, err
}

// currentNamespace is the inode of the calling thread's network namespace.
func currentNamespace() (uint64, error) {
	const file = "/proc/thread-self/ns/net"
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		return 0, fmt.Errorf("looking for the network namespace in %s: %w: is /proc mounted?", file, err)
	}
	return st.Ino, nil
}

const extension = ".sock"

// name is the address as the name of a file.
func (a address) name() string { return fmt.Sprintf("%d-%s", a.namespace, a.dev) }

// own is where the instance's socket is if it is of this process' user.
func (a address) own() string { return filepath.Join(userDir(), a.name()+extension) }

// path is where the instance's socket is, whoever started it. If several users
// left one it is the one at which somebody listens.
func (a address) path() string {
	var found []string
	for _, s := range sockets() {
		if s.address == a {
			found = append(found, s.path)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	for _, path := range found {
		if alive, _, _ := probe(path); alive {
			return path
		}
	}
	return a.own()
}

// socket is a control socket, whether somebody listens or not.
type socket struct {
	address
	path string
}

// sockets are all in RunDir, of this namespace and of others.
func sockets() []socket {
	var found []socket
	for _, dir := range userDirs() {
		files, _ := os.ReadDir(dir)
		for _, file := range files {
			name, ok := strings.CutSuffix(file.Name(), extension)
			number, dev, isAddress := strings.Cut(name, "-")
			namespace, err := strconv.ParseUint(number, 10, 64)
			if ok && isAddress && err == nil {
				found = append(found, socket{address{namespace, dev}, filepath.Join(dir, file.Name())})
			}
		}
	}
	return found
}

// Running are the interfaces of the instances that run in the network namespace
// of the calling thread.
func Running() []string {
	here, _ := running()
	return here
}

// running are the instances that run in this namespace, and how many in others.
func running() (here []string, elsewhere int) {
	namespace, err := currentNamespace()
	if err != nil {
		return nil, 0
	}
	for _, a := range sockets() {
		switch alive, _, _ := probe(a.path); {
		case !alive:
		case a.namespace == namespace:
			here = append(here, a.dev)
		default:
			elsewhere++
		}
	}
	return here, elsewhere
}
