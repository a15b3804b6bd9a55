// Package detach puts a program into the background: it starts itself again,
// with the same arguments, in a session of its own, and waits until that process
// says that it is ready.
//
//	foreground                            background
//	Start ── the same command line ─────► Background is true
//	  │      (stdout and stderr shared)     │ writes what it has to say
//	  │ ◄──── a byte through a pipe ────────┤ Ready: lets go of stdout and stderr
//	returns nil                             runs on
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
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// variable tells a process that it is the one in the background.
const variable = "TCPLAB_DETACHED"

// readyFD is the descriptor of the pipe in the background process: the first
// one after stderr (exec.Cmd.ExtraFiles).
const readyFD = 3

// Background reports whether this process was made by Start.
func Background() bool { return os.Getenv(variable) != "" }

// Start starts this program again in the background and returns when that is
// ready. If it ends before, the error is an *exec.ExitError. If ctx ends before,
// it is asked to end with SIGTERM.
func Start(ctx context.Context) error {
	// What the shell left open, in a test for example, is not the child's.
	_ = unix.CloseRange(readyFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // Linux 5.11
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("detaching: %w", err)
	}
	defer func() { _ = read.Close() }()
	child := exec.Command("/proc/self/exe", os.Args[1:]...)
	child.Args[0] = os.Args[0]
	child.Env = append(os.Environ(), variable+"=1")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.ExtraFiles = []*os.File{write}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = child.Start()
	_ = write.Close() // the child has its own
	if err != nil {
		return fmt.Errorf("detaching: starting %s again: %w", os.Args[0], err)
	}
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Signal(unix.SIGTERM) })
	defer stop()
	if _, err := io.ReadFull(read, make([]byte, 1)); err == nil {
		return child.Process.Release()
	}
	if err := child.Wait(); err != nil {
		return err
	}
	return errors.New("detaching: the process in the background ended at once: start it without --detach to see why")
}

// Ready lets go of the terminal and tells the process that waits in Start. It
// fails if nobody waits any more.
func Ready() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("detaching: %w", err)
	}
	defer func() { _ = null.Close() }()
	for fd := range readyFD {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("detaching: %w", err)
		}
	}
	pipe := os.NewFile(readyFD, "ready")
	if _, err := pipe.Write([]byte{1}); err != nil {
		return errors.Join(fmt.Errorf("detaching: nobody waits for it: %w", err), pipe.Close())
	}
	return pipe.Close()
}
