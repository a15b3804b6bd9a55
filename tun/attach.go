package tun

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"

	"github.com/songgao/water"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A TUN interface gets its offload header (IFF_VNET_HDR) when a descriptor is
// attached to it, and only if no other one is: not beside the one through which
// water made it. So, in this order:
//
//  1. water makes it, persistent, under a name of its own;
//  2. water's descriptor is closed;
//  3. another one is attached, with the header;
//  4. it stops being persistent: from here on it goes with the process;
//  5. it gets the offloads, and in configure its name, addresses and so on.
//
// A process that is killed between 1 and 4, some microseconds, leaves an
// interface that is down, without addresses, and not under the name that the
// next process wants. clearLeftovers, with which each Create begins, removes it.

// leftover begins the name that an interface has until it stops being
// persistent.
const leftover = "tcplab~"

// step is told what has just been done: for tests, which end the process there.
var step = func(string) {}

// open makes an interface without offload, which goes with the descriptor.
func open(name string) (*water.Interface, error) { return openWater(name, false) }

// openWater has water make an interface. Water opens it without close-on-exec: a
// program started meanwhile would inherit it, and the interface would live as
// long as that program.
func openWater(name string, persist bool) (*water.Interface, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ifce, err := water.New(water.Config{
		DeviceType:             water.TUN,
		PlatformSpecificParams: water.PlatformSpecificParams{Name: name, Persist: persist},
	})
	if err != nil {
		return nil, err
	}
	number, err := descriptor(ifce)
	if err != nil {
		return nil, errors.Join(err, ifce.Close())
	}
	syscall.CloseOnExec(number)
	return ifce, nil
}

// descriptor is the number of the interface's descriptor. Not by os.File.Fd,
// which would make it blocking.
func descriptor(ifce *water.Interface) (number int, err error) {
	raw, err := ifce.ReadWriteCloser.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return number, err
}

// openOffload makes an interface whose packets have an offload header. On an
// error nothing is left of it.
func openOffload(links *netlink.Handle) (ifce *water.Interface, err error) {
	name := fmt.Sprintf("%s%06x", leftover, rand.N(1<<24))
	ifce, err = openWater(name, true)
	if err != nil {
		return nil, err
	}
	step("made")
	if err := ifce.Close(); err != nil {
		return nil, errors.Join(err, remove(links, name))
	}
	step("detached")
	file, err := attach(name)
	if err != nil {
		return nil, errors.Join(err, remove(links, name))
	}
	step("transient")
	// Water's object stays the one that holds the interface.
	ifce.ReadWriteCloser = file
	return ifce, nil
}

// attach attaches a descriptor to a persistent interface, with the offload
// header, and ends its persistence.
func attach(name string) (io.ReadWriteCloser, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = setOffload(fd, name)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), devicePath), nil
}

func setOffload(fd int, name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("attaching with IFF_VNET_HDR: %w", err)
	}
	step("attached")
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 0); err != nil {
		return fmt.Errorf("ending its persistence: %w", err)
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6); err != nil {
		return fmt.Errorf("TUNSETOFFLOAD with checksums and TSO: %w", err)
	}
	return nil
}

// remove removes an interface that may have gone by itself.
func remove(links *netlink.Handle, name string) error {
	link, err := links.LinkByName(name)
	if err == nil {
		err = links.LinkDel(link)
	}
	var gone netlink.LinkNotFoundError
	if errors.As(err, &gone) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// clearLeftovers removes what processes left behind that were killed while they
// made an interface. One that is alive and between its steps 2 and 3 at this
// very moment makes its interface anew by attaching to it.
func clearLeftovers(links *netlink.Handle) error {
	all, err := links.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return err
	}
	for _, link := range all {
		tuntap, ok := link.(*netlink.Tuntap)
		if !ok || !strings.HasPrefix(tuntap.Name, leftover) || tuntap.Queues > 0 || tuntap.NonPersist {
			continue
		}
		if err := links.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
			return err
		}
	}
	return nil
}
