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
}

func (e *RunningError) Error() string {
	pid := ""
	if e.PID != 0 {
		pid = fmt.Sprintf(", process %d", e.PID)
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
}

func (e *NotRunningError) Error() string {
	text := fmt.Sprintf("no tcplab is running on %s in this network namespace", e.Dev)
	switch {
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

// ServerError is what a running instance answers to a request that it refuses.
type ServerError = jsonapi.Error
