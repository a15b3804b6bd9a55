package control

import (
	"fmt"
	"strings"

	"tcplab/internal/jsonapi"
)

// RunningError says that an instance has the interface's name already.
type RunningError struct {
	Dev string
	PID int // zero: unknown
	UID int // whose it is, where another user than root listens; else zero
}

func (e *RunningError) Error() string {
	pid := ""
	if e.PID != 0 {
		pid = fmt.Sprintf(", process %d", e.PID)
	}
	if e.UID != 0 {
		pid += fmt.Sprintf(" of user %d", e.UID)
	}
	return fmt.Sprintf("tcplab is already running on %s%s: end it with tcplab down --dev %s, or choose another name with --dev", e.Dev, pid, e.Dev)
}

// PathTooLongError says that a socket cannot have this path (sun_path of
// unix(7)). What makes it shorter is the caller's to know.
type PathTooLongError struct{ Path string }

func (e *PathTooLongError) Error() string {
	return fmt.Sprintf("control socket %s: the path is longer than %d bytes", e.Path, maxPath)
}

// NotRunningError says that there is no instance to talk to.
type NotRunningError struct {
	Dev       string
	Here      []string // interfaces of the instances in this network namespace
	Elsewhere int      // number of instances in other network namespaces
	Interface bool     // the interface is there all the same
}

func (e *NotRunningError) Error() string {
	text := fmt.Sprintf("no tcplab is running on %s in this network namespace", e.Dev)
	switch {
	case e.Interface:
		text += fmt.Sprintf(", but there is an interface of this name: ip -d link show %s says what it is; end the process that holds it, if it is tcplab", e.Dev)
	case len(e.Here) > 0:
		text += fmt.Sprintf(": choose one that is with --dev %s", strings.Join(e.Here, " or --dev "))
	case e.Elsewhere > 0:
		text += fmt.Sprintf(": there are %d in other namespaces, where this command has to run too (ip netns exec)", e.Elsewhere)
	default:
		text += ": start one with sudo tcplab up"
	}
	return text
}

// SilentError says that an instance did not answer in time.
type SilentError struct {
	Dev string
	PID int // zero: unknown
}

func (e *SilentError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("the instance on %s does not answer: try again, or end its process", e.Dev)
	}
	return fmt.Sprintf("the instance on %s, process %d, does not answer: try again, or end it with kill %d", e.Dev, e.PID, e.PID)
}

// ImpostorError says that the process at an instance's socket is not one that may
// be there.
type ImpostorError struct {
	Dev   string
	Path  string // of the socket
	Owner int    // in whose directory it is
	UID   int    // who listens there
	PID   int    // zero: unknown
}

func (e *ImpostorError) Error() string {
	return fmt.Sprintf("nothing was asked of the process at %s: process %d of user %d listens there, who is not root, nor a user whose instances are there (user %d): "+
		"remove the socket and end that process; whether tcplab runs on %s, ip link shows", e.Path, e.PID, e.UID, e.Owner, e.Dev)
}

// ServerError is what a running instance answers to a request that it refuses.
type ServerError = jsonapi.Error
