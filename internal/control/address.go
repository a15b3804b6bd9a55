package control

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// RunDirVariable is the environment variable that overrides where the sockets
// of running instances are.
const RunDirVariable = "TCPLAB_RUN_DIR"

// RunDir is the directory with the sockets of running instances.
func RunDir() string {
	if dir := os.Getenv(RunDirVariable); dir != "" {
		return dir
	}
	return "/run/tcplab"
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

// path is where the instance's socket is.
func (a address) path() string { return filepath.Join(RunDir(), a.name()+extension) }

// sockets are the addresses of all sockets in RunDir, of this namespace and of
// others, whether somebody listens or not.
func sockets() []address {
	files, _ := os.ReadDir(RunDir()) // nothing there, or nothing to be seen
	var found []address
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), extension)
		number, dev, isAddress := strings.Cut(name, "-")
		namespace, err := strconv.ParseUint(number, 10, 64)
		if ok && isAddress && err == nil {
			found = append(found, address{namespace, dev})
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
		switch alive, _ := probe(a.path()); {
		case !alive:
		case a.namespace == namespace:
			here = append(here, a.dev)
		default:
			elsewhere++
		}
	}
	return here, elsewhere
}
