package tun

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"tcplab/internal/rtnetlink"
)

// errAway means that the interface is in another network namespace.
var errAway = errors.New("it is in another network namespace")

// newMark is an alternative name for an interface (ip-link(8), altname) that no
// other one has, in any namespace. It stays when the interface is renamed or
// moved. Kernels before 5.5 know no alternative names.
func newMark() string { return fmt.Sprintf("tcplab-%d-%08x", os.Getpid(), rand.Uint32()) }

// find looks the interface up, whatever it is called now. errAway says that it is
// in another namespace; any other error, that it is no more.
func (d *Device) find() (*rtnetlink.Link, error) {
	name, err := d.currentName()
	if err != nil {
		return nil, err
	}
	link, err := d.kernel.LinkByName(d.mark)
	if !errors.Is(err, unix.ENODEV) {
		return link, err
	}
	// Somebody has removed the mark, or the kernel has none; the number is ours as
	// long as the interface has not been away.
	link, err = d.kernel.LinkByIndex(d.index)
	if err == nil && link.Name != name || errors.Is(err, unix.ENODEV) {
		return nil, errAway
	}
	return link, err
}

// currentName is what the interface is called, in whatever namespace: its
// descriptor knows. The error is EBADFD when it was removed.
func (d *Device) currentName() (string, error) {
	d.writing.RLock()
	defer d.writing.RUnlock()
	if d.closed {
		return "", os.ErrClosed
	}
	request, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	if err := unix.IoctlIfreq(d.fd, unix.TUNGETIFF, request); err != nil {
		return "", os.NewSyscallError("TUNGETIFF", err)
	}
	return request.Name(), nil
}

// moved says that the interface is elsewhere, and how it comes back. Where to, a
// process without capabilities does not learn (TUNGETDEVNETNS wants
// CAP_NET_ADMIN); the mark finds it in any namespace that has a name.
func (d *Device) moved() string {
	text := d.made.name + " was moved to another network namespace and has lost its addresses; the endpoint is not reached from here"
	if d.home == 0 || d.home != inode("/proc/self/ns/net") {
		return text // no process to name the way back by
	}
	return text + ": ip -all netns exec ip link set " + d.mark + " netns " + strconv.Itoa(os.Getpid())
}

// inode tells network namespaces apart; 0 is that it is not known.
func inode(namespace string) uint64 {
	var st unix.Stat_t
	if unix.Stat(namespace, &st) != nil {
		return 0
	}
	return st.Ino
}
