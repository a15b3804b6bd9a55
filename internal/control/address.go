package control

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address names an instance: the network namespace's inode and the interface.
type address struct {
	namespace uint64
	dev       string
}

// locate is the address of dev in the network namespace of the calling thread.
func locate(dev string) (address, error) {
	if !isInterface(dev) {
		return address{}, fmt.Errorf("%q is no name of an interface: give 1 to %d characters without slash, colon and space", dev, unix.IFNAMSIZ-1)
	}
	namespace, err := currentNamespace()
	return address{namespace, dev}, err
}

// isInterface reports whether the kernel would take a name for an interface
// (dev_valid_name).
func isInterface(name string) bool {
	return name != "" && len(name) < unix.IFNAMSIZ && name != "." && name != ".." && !strings.ContainsAny(name, "/: \t\n\v\f\r\x00")
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

// name is the address as a name for files.
func (a address) name() string { return fmt.Sprintf("%d-%s", a.namespace, a.dev) }

// file is the name of the instance's socket.
func (a address) file() string { return a.name() + extension }

// own is where the instance's socket is if it is of this process' user.
func (a address) own() string { return filepath.Join(userDir(), a.file()) }

// parseAddress reads the address in the name of a socket.
func parseAddress(file string) (a address, ok bool) {
	name, isSocket := strings.CutSuffix(file, extension)
	number, dev, isAddress := strings.Cut(name, "-")
	namespace, err := strconv.ParseUint(number, 10, 64)
	a = address{namespace, dev}
	return a, isSocket && isAddress && err == nil && isInterface(dev) && a.file() == file
}
