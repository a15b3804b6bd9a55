// Package detach puts a program into the background: it starts itself again,
// with the same arguments, in a session of its own, and waits until that process
// says that it is ready.
//
//	foreground                            background
//	Start ── the same command line ─────► Background: not nil
//	  │      (stdout and stderr shared)     │ writes what it has to say
//	  │ ◄──── a byte through a socket ──────┤ Ready: lets go of stdout and stderr
//	returns nil                             runs on
//
// Package again has the process in the background know that it is.
//
// A background process that ends before it is ready has said why on the shared
// stderr; Start returns its exit code.
package detach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"tcplab/internal/again"
)

// part is what the process in the background plays.
const part = "detach"

// firstFD is the first descriptor after stderr.
const firstFD = 3

// Process is this process, if it is in the background.
type Process struct{ origin *again.Origin }

// Background returns this process if Start has started it; nil if not. To be
// called once.
func Background() (*Process, error) {
	origin, err := again.As(part)
	if origin == nil {
		return nil, err
	}
	return &Process{origin}, nil
}

// Start starts this program again in the background and returns when that is
// ready. If it ends before, the error is an *exec.ExitError. If ctx ends before,
// it is asked to end with SIGTERM.
func Start(ctx context.Context) error {
	// What the shell left open, in a test for example, is not the child's.
	_ = unix.CloseRange(firstFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // Linux 5.11
	child := again.Command()
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	socket, err := again.Start(child, child.Start, part, "")
	if err != nil {
		return fmt.Errorf("detaching: starting %s again: %w", os.Args[0], err)
	}
	defer func() { _ = socket.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Signal(unix.SIGTERM) })
	defer stop()
	if _, err := io.ReadFull(socket, make([]byte, 1)); err == nil {
		return child.Process.Release()
	}
	if err := child.Wait(); err != nil {
		return err
	}
	return errors.New("detaching: the process in the background ended at once: start it without --detach to see why")
}

// Ready lets go of the terminal and tells the process that waits in Start. It
// fails if nobody waits any more.
func (p *Process) Ready() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("detaching: %w", err)
	}
	defer func() { _ = null.Close() }()
	for fd := range firstFD {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("detaching: %w", err)
		}
	}
	if _, err := p.origin.Socket.Write([]byte{1}); err != nil {
		return errors.Join(fmt.Errorf("detaching: nobody waits for it: %w", err), p.origin.Socket.Close())
	}
	return p.origin.Socket.Close()
}
