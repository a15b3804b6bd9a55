package tun

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Error is a failure around an interface, with what can be done about it.
type Error struct {
	Op   string // what was tried
	Name string // of the interface
	Err  error  // what happened
	Hint string // what to do; may be empty
}

// Error says what was tried, what happened and what to do.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %v", e.Op, e.Name, e.Err)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Unwrap is what happened.
func (e *Error) Unwrap() error { return e.Err }

// ErrExists means that the name of the interface is taken.
var ErrExists = errors.New("an interface of this name exists already")

// ErrRouted means that an address or its subnet is somebody else's.
var ErrRouted = errors.New("the address is in use")

// What to do, by cause.
const (
	hintRoot = "run tcplab with sudo, or give it CAP_NET_ADMIN; tcplab exec and tcplab shell need neither"
	hintTUN  = "load the driver with 'modprobe tun', or make the device with 'mkdir -p /dev/net && mknod /dev/net/tun c 10 200'"
	hintName = "end the tcplab that has it with 'tcplab down', or choose another name with --dev"
	hintAddr = "choose another subnet with --host and --addr"
)

// hintFor finds the hint for an error of the kernel's.
func hintFor(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return hintRoot
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return hintTUN
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST), errors.Is(err, ErrExists):
		return hintName
	case errors.Is(err, ErrRouted):
		return hintAddr
	}
	return ""
}
