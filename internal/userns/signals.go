package userns

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// forwarder sends the signals that this process gets on to another one.
type forwarder struct {
	signals chan os.Signal
	done    sync.WaitGroup
	// always is called before each signal is sent on; nil is nothing.
	always func()

	mu sync.Mutex // guards the following
	// early is called with signals that come before there is another process.
	// Nil: they wait for it.
	early   func(os.Signal)
	process *os.Process
	waiting []os.Signal
}

// newForwarder begins to take signals.
func newForwarder() *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 16)}
	f.begin()
	return f
}

func (f *forwarder) begin() {
	list := []os.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2}
	if !signal.Ignored(unix.SIGHUP) { // nohup(1)
		list = append(list, unix.SIGHUP)
	}
	signal.Notify(f.signals, list...)
	f.done.Go(func() {
		for s := range f.signals {
			f.handle(s)
		}
	})
}

func (f *forwarder) handle(s os.Signal) {
	if f.always != nil {
		f.always()
	}
	f.mu.Lock()
	process, early := f.process, f.early
	if process == nil && early == nil {
		f.waiting = append(f.waiting, s)
	}
	f.mu.Unlock()
	switch {
	case process == nil && early != nil:
		early(s)
	case process == nil:
	case (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground():
		// Ctrl-C: the terminal has sent it to the other process, too, which is not
		// to get it twice. One that kill(1) has sent looks the same.
	default:
		_ = process.Signal(s) // it has ended, perhaps
	}
}

// await has signals wait for another process from now on: it is being started.
func (f *forwarder) await() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.early = nil
}

// to says to which process signals go.
func (f *forwarder) to(process *os.Process) {
	f.mu.Lock()
	f.process = process
	waiting := f.waiting
	f.mu.Unlock()
	for _, s := range waiting {
		f.handle(s)
	}
}

// stop takes no more signals.
func (f *forwarder) stop() {
	signal.Stop(f.signals)
	close(f.signals)
	f.done.Wait()
}

// inForeground reports whether this process is in the foreground of its terminal.
func inForeground() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
