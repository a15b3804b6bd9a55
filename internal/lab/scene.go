package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/netns"
	"tcplab/internal/printable"
)

// Scene is a lab that runs.
type Scene struct {
	lab     *Lab
	options Options
	ctx     context.Context
	out     io.Writer
	started time.Time
	record  Record
	servers []*Server
	undo    []func() error // in reverse order, at the end
	steps   int
	work    sync.WaitGroup
}

// aborted is what leaves a lab: an error that is no claim.
type aborted struct{ err error }

// abort leaves the lab.
func (s *Scene) abort(err error) {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		err = ctxErr // the error is that we stopped
	}
	panic(aborted{err})
}

// must leaves the lab if err is one. what says what was tried.
func (s *Scene) must(what string, err error) {
	if err != nil {
		s.abort(fmt.Errorf("%s: %w", what, err))
	}
}

// Step says what is about to happen.
func (s *Scene) Step(format string, args ...any) {
	s.steps++
	s.tell(Item{Kind: StepItem, Text: fmt.Sprintf("%d. ", s.steps) + fmt.Sprintf(format, args...)})
}

// Say says what was seen.
func (s *Scene) Say(format string, args ...any) {
	s.tell(Item{Kind: SayItem, Text: fmt.Sprintf(format, args...)})
}

// Show prints lines as they are: packets, events, what a program said.
func (s *Scene) Show(lines ...string) {
	if len(lines) > 0 {
		s.tell(Item{Kind: ShowItem, Text: strings.TrimRight(strings.Join(lines, "\n"), "\n")})
	}
}

// Claim says what should be true, and whether it is. It returns ok.
func (s *Scene) Claim(ok bool, format string, args ...any) bool {
	kind := HoldsItem
	if !ok {
		kind = FailsItem
	}
	s.tell(Item{Kind: kind, Text: fmt.Sprintf(format, args...)})
	return ok
}

// tell writes an item down and prints it.
func (s *Scene) tell(item Item) {
	if err := s.ctx.Err(); err != nil {
		s.abort(err)
	}
	item.At = time.Since(s.started)
	item.Text = printable.Text(strings.ReplaceAll(item.Text, "\r\n", "\n")) // programs, and what they were sent, speak in it
	s.record.Items = append(s.record.Items, item)
	if _, err := io.WriteString(s.out, item.text()); err != nil {
		s.abort(fmt.Errorf("writing what happens: %w", err))
	}
}

// Speed is by how much the listener's timers are faster than the profile's.
func (s *Scene) Speed() int {
	if !s.lab.timers {
		return 1
	}
	return max(s.options.Speed, 1)
}

// scaled is a time of the listener's as it is in this run.
func (s *Scene) scaled(d time.Duration) time.Duration { return d / time.Duration(s.Speed()) }

// faster is a note for lines whose times are not the real ones.
func (s *Scene) faster() string {
	if s.Speed() == 1 {
		return ""
	}
	return fmt.Sprintf(" [timers of the listener %d times as fast]", s.Speed())
}

// patience bounds every wait for something that happens at once.
const patience = time.Minute

// waitFor waits until reached says so, looked at every few milliseconds and at
// least once after limit.
func (s *Scene) waitFor(what string, limit time.Duration, reached func() bool) {
	if !s.watch(limit, reached) {
		s.abort(fmt.Errorf("waited %v, and this did not happen: %s", limit, what))
	}
}

// watch looks until reached or until limit is over, and reports which.
func (s *Scene) watch(limit time.Duration, reached func() bool) bool {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.must("watching", s.ctx.Err())
			return reached()
		}
	}
	return true
}

// namespace makes a network namespace that goes with the scene. Its kernel sends
// an unanswered SYN again after 1, 3, 7 s, as RFC 6298 has it, not each second
// at first as Linux does since 6.5.
func (s *Scene) namespace() *netns.Namespace {
	name := ""
	if s.options.Keep {
		name = fmt.Sprintf("tcplab-%d-%d", os.Getpid(), len(s.servers))
	}
	ns, err := netns.New(name)
	s.must("making a network namespace", err)
	s.later(ns.Close)
	if err := ns.Sysctl("net/ipv4/tcp_syn_linear_timeouts", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.must("setting the namespace up", err)
	}
	return ns
}

// later has f called at the end, the last one first.
func (s *Scene) later(f func() error) { s.undo = append(s.undo, f) }

// TempDir makes a folder that goes with the scene.
func (s *Scene) TempDir() string {
	dir, err := os.MkdirTemp("", "tcplab-lab-")
	s.must("making a folder", err)
	s.later(func() error { return os.RemoveAll(dir) })
	return dir
}

// command prepares a program. It is killed, with what it started, when the scene
// ends, and by the kernel when the thread that starts it does.
func (s *Scene) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.ctx, name, args...)
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL, Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) } // its children too
	cmd.WaitDelay = time.Second
	return cmd
}

// cleanUp undoes what the scene made.
func (s *Scene) cleanUp() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	s.undo = nil
	s.work.Wait()
	return errors.Join(errs...)
}
