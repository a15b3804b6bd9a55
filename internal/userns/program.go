package userns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ExitError is a program that did not exit with 0, or did not start.
type ExitError struct {
	Code int   // as a shell has it: 128 and the number of the signal that ended it
	Err  error // why it did not start; nil: it has said itself what was wrong
}

func (e *ExitError) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Unwrap is why the program did not start.
func (e *ExitError) Unwrap() error { return e.Err }

// Program is CMD.
type Program struct {
	room    *Room
	args    []string
	forward *forwarder
	cmd     *exec.Cmd
	ended   chan struct{}
	err     error // written before ended is closed
	early   int   // the exit code after a signal that came too early
}

// NewProgram prepares a program. From now on it gets the signals of this process;
// one that comes before Start calls stop instead. End is to be called.
func (r *Room) NewProgram(args []string, stop context.CancelFunc) *Program {
	p := &Program{room: r, args: args, ended: make(chan struct{})}
	p.forward = &forwarder{signals: make(chan os.Signal, 16)}
	p.forward.early = func(s os.Signal) {
		p.early = 128 + int(s.(syscall.Signal))
		stop()
	}
	p.forward.always = func() {
		if r.orphaned() {
			p.kill()
			stop()
		}
	}
	p.forward.begin()
	return p
}

// Start starts it. When it has ended, ended is called.
func (p *Program) Start(ended context.CancelFunc) error {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	p.forward.await()
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the signal at the parent's death is that of this thread's
		err := cmd.Start()
		if err == nil {
			p.cmd = cmd
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.ended)
		ended()
	}()
	if err := <-started; err != nil {
		return &ExitError{startCode(err), fmt.Errorf("starting %s: %w", p.args[0], err)}
	}
	p.forward.to(p.cmd.Process)
	return nil
}

// environment is that of this process, with what programs inside want to know.
func environment() []string {
	env := os.Environ()
	if _, err := exec.LookPath("tcplab"); err != nil {
		if self, err := os.Executable(); err == nil {
			env = append(env, "PATH="+os.Getenv("PATH")+":"+filepath.Dir(self))
		}
	}
	if os.Getenv("NMAP_PRIVILEGED") == "" {
		env = append(env, "NMAP_PRIVILEGED=1") // nmap asks for the user's number, not for the capability
	}
	return env
}

// Running reports whether the program was started.
func (p *Program) Running() bool { return p.cmd != nil }

// kill ends the program; it may be called before there is one.
func (p *Program) kill() {
	p.forward.mu.Lock()
	process := p.forward.process
	p.forward.mu.Unlock()
	if process != nil {
		_ = process.Kill() // it has ended, perhaps
	}
}

// End waits for the program and returns how it ended: nil, or an *ExitError. If it
// has not started, that is nil unless a signal has called it off.
func (p *Program) End() error {
	if p.cmd != nil {
		<-p.ended
	}
	p.forward.stop()
	exit, ok := errors.AsType[*exec.ExitError](p.err)
	switch {
	case p.cmd == nil && p.early != 0:
		return &ExitError{Code: p.early}
	case p.cmd == nil || p.err == nil:
		return nil
	case !ok:
		return p.err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &ExitError{Code: 128 + int(status.Signal())}
	}
	return &ExitError{Code: exit.ExitCode()}
}
