package rtnetlink

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Conn asks the kernel, one question at a time. It is safe for concurrent use.
type Conn struct {
	mu   sync.Mutex // guards what follows: held from a question to its last answer
	file *os.File
	seq  uint32
	buf  []byte
}

const (
	// timeout bounds the wait for an answer. The kernel has it ready when the
	// question is written, so that only a fault would make anybody wait.
	timeout = 2 * time.Second
	// bufferSize is twice the largest message of a dump (netlink_dump in
	// net/netlink/af_netlink.c); read(2) does not say that it cut one off.
	bufferSize = 64 << 10
	// attempts is how often a dump is begun again that a change interrupted.
	attempts = 5
)

// errInterrupted means that a dump has parts of before a change and of after it
// (NLM_F_DUMP_INTR).
var errInterrupted = errors.New("the kernel's list changed while it was read")

// Open opens the socket in the network namespace of the calling thread.
func Open() (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "rtnetlink") // blocking: the timeout is the socket's
	if err := prepare(fd); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Conn{file: file, buf: make([]byte, bufferSize)}, nil
}

// prepare connects a socket to the kernel and bounds its waits.
func prepare(fd int) error {
	wait := unix.NsecToTimeval(timeout.Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &wait); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	// Dumps of one interface then list that one alone. Kernels before 4.20 list
	// all, and the caller chooses.
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	return os.NewSyscallError("connect", unix.Connect(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

// Close closes the socket. Questions after it fail with os.ErrClosed.
func (c *Conn) Close() error { return c.file.Close() }

// one asks for one thing: the payload of the answer. The kernel's refusal is a
// syscall.Errno.
func (c *Conn) one(kind uint16, flags uint16, data ...nl.NetlinkRequestData) ([]byte, error) {
	answers, err := c.ask(kind, flags, data)
	if err != nil {
		return nil, err
	}
	if len(answers) != 1 {
		return nil, fmt.Errorf("rtnetlink: %d answers to a question for one thing", len(answers))
	}
	return answers[0], nil
}

// dump asks for a list.
func (c *Conn) dump(kind uint16, data ...nl.NetlinkRequestData) (answers [][]byte, err error) {
	for range attempts {
		answers, err = c.ask(kind, unix.NLM_F_DUMP, data)
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return answers, err
}

// ask writes a question and reads its answers, to the last one.
func (c *Conn) ask(kind, flags uint16, data []nl.NetlinkRequestData) ([][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq++
	request := nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{Type: kind, Flags: unix.NLM_F_REQUEST | flags, Seq: c.seq},
		Data:     data,
	}
	if _, err := c.file.Write(request.Serialize()); err != nil {
		return nil, fmt.Errorf("asking the kernel: %w", err)
	}
	var a answer
	for !a.whole {
		n, err := c.file.Read(c.buf)
		if err != nil {
			return nil, fmt.Errorf("reading the kernel's answer: %w", err)
		}
		if n == len(c.buf) {
			return nil, errors.New("rtnetlink: an answer is cut off")
		}
		messages, err := syscall.ParseNetlinkMessage(c.buf[:n])
		if err != nil {
			return nil, fmt.Errorf("reading the kernel's answer: %w", err)
		}
		for i := range messages {
			if messages[i].Header.Seq != c.seq { // of a question that was given up
				continue
			}
			if err := a.add(&messages[i]); err != nil {
				return nil, err
			}
		}
	}
	if a.interrupted {
		return nil, errInterrupted
	}
	return a.parts, nil
}

// answer collects the messages that answer one question.
type answer struct {
	parts       [][]byte
	interrupted bool // see errInterrupted
	whole       bool
}

// add takes the next message; the error is the kernel's refusal.
func (a *answer) add(m *syscall.NetlinkMessage) error {
	if m.Header.Flags&unix.NLM_F_DUMP_INTR != 0 {
		a.interrupted = true
	}
	switch m.Header.Type {
	case unix.NLMSG_ERROR, unix.NLMSG_DONE:
		a.whole = true
		if len(m.Data) < 4 {
			return nil
		}
		if code := int32(nl.NativeEndian().Uint32(m.Data)); code != 0 {
			return syscall.Errno(-code)
		}
		return nil
	}
	a.parts = append(a.parts, bytes.Clone(m.Data)) // the next read overwrites it
	if m.Header.Flags&unix.NLM_F_MULTI == 0 {
		a.whole = true
	}
	return nil
}
