package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace with lo up. It is safe for concurrent use.
type Namespace struct {
	name string // "" for one without a name
	fd   netns.NsHandle

	mu     sync.RWMutex // held for reading while the namespace is being entered
	closed bool
}

// New makes a network namespace. With a name it can be entered by "ip netns
// exec NAME", until Close; without one it goes with its last user.
func New(name string) (*Namespace, error) {
	n := &Namespace{name: name, fd: netns.None()}
	err := onThread(func() error {
		var err error
		if name == "" {
			n.fd, err = netns.New()
		} else {
			n.fd, err = netns.NewNamed(name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("creating network namespace %q: %w%s", name, err, hint(err))
	}
	if err := n.Do(bringLoopbackUp); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func hint(err error) string {
	switch {
	case errors.Is(err, unix.EPERM):
		return ": run as root"
	case errors.Is(err, unix.EEXIST):
		return ": delete the old one with 'ip netns delete', or use another name"
	}
	return ""
}

func bringLoopbackUp() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bringing lo up: %w", err)
	}
	return nil
}

// onThread runs fn on a thread of its own that ends with it, whatever namespace
// fn has moved it to.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := errors.New("the function left its goroutine")
		defer func() { done <- err }()
		err = fn()
	}()
	return <-done
}

// Do runs fn on a thread inside the namespace and returns its error. Goroutines
// that fn starts are outside.
func (n *Namespace) Do(fn func() error) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return fmt.Errorf("entering network namespace %q: %w", n.name, os.ErrClosed)
	}
	return onThread(func() error {
		if err := netns.Set(n.fd); err != nil {
			return fmt.Errorf("entering network namespace %q: %w%s", n.name, err, hint(err))
		}
		return fn()
	})
}

// Start starts a program inside the namespace. The caller waits for it.
func (n *Namespace) Start(cmd *exec.Cmd) error { return n.Do(cmd.Start) }

// Output runs a program inside the namespace and returns what it prints on both
// its outputs.
func (n *Namespace) Output(cmd *exec.Cmd) ([]byte, error) {
	var out []byte
	err := n.Do(func() error {
		var err error
		out, err = cmd.CombinedOutput()
		return err
	})
	return out, err
}

// Sysctl writes a setting under /proc/sys, as in Sysctl("net/core/somaxconn", "128").
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			return fmt.Errorf("setting %s to %s: %w", name, value, err)
		}
		return nil
	})
}

// Name is the namespace's name, "" if it has none.
func (n *Namespace) Name() string { return n.name }

// Close gives the namespace up. It is gone when its last socket, interface
// descriptor and process are. Later calls do nothing.
func (n *Namespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	err := n.fd.Close()
	if n.name != "" {
		err = errors.Join(err, netns.DeleteNamed(n.name))
	}
	if err != nil {
		return fmt.Errorf("closing network namespace %q: %w", n.name, err)
	}
	return nil
}

// Take moves an interface of the calling thread's namespace into this one.
func (n *Namespace) Take(name string) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return fmt.Errorf("moving %s into network namespace %q: %w", name, n.name, os.ErrClosed)
	}
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetNsFd(link, int(n.fd))
	}
	if err != nil {
		return fmt.Errorf("moving %s into network namespace %q: %w", name, n.name, err)
	}
	return nil
}
