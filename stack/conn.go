package stack

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Conn is an adopted connection. It keeps the contract of net.Conn in every state
// of the connection, as *net.TCPConn does on Linux: its addresses never change; after
// Close or Abort each method's error wraps net.ErrClosed; a deadline's wraps
// os.ErrDeadlineExceeded; a reset's is ECONNRESET, once all that came before was
// read. Unlike Linux, which reports a reset once and then an end of file, Conn goes
// on reporting it.
//
// Conn is safe for concurrent use. A Write is not mixed with another one's bytes.
type Conn struct {
	f      *flow
	ep     *tcp.Endpoint
	wq     *waiter.Queue
	local  *net.TCPAddr
	remote *net.TCPAddr

	readDeadline  deadline
	writeDeadline deadline
	readMu        sync.Mutex // held by the one Read that is under way
	writeMu       sync.Mutex // held by the one Write that is under way

	once   sync.Once
	closed chan struct{}                 // closed by Close or Abort
	failed atomic.Pointer[syscall.Errno] // why the connection ended early; nil: it has not
}

// newConn is the connection of a flow that netstack has established.
func newConn(f *flow, ep *tcp.Endpoint, wq *waiter.Queue) *Conn {
	return &Conn{
		f: f, ep: ep, wq: wq, closed: make(chan struct{}),
		local:  net.TCPAddrFromAddrPort(f.tuple.Server()),
		remote: net.TCPAddrFromAddrPort(f.tuple.Client()),
	}
}

// LocalAddr is the endpoint's address and port, a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the client's address and port, a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	if c.isClosed() {
		return 0, c.opError("read", net.ErrClosed)
	}
	if len(b) == 0 {
		return 0, nil
	}
	w := tcpip.SliceWriter(b)
	n, err := c.retry(&c.readDeadline, waiter.ReadableEvents, func() (int, tcpip.Error) {
		result, err := c.ep.Read(&w, tcpip.ReadOptions{})
		return result.Count, err
	})
	if err == nil {
		c.f.receive.read(n, time.Now())
		return n, nil
	}
	if errors.Is(err, syscall.EPIPE) { // nothing comes any more
		return 0, io.EOF
	}
	return 0, c.opError("read", err)
}

// Write implements net.Conn. It waits until there is room for b, piece by piece;
// how much there is depends on what all connections hold (package tcpmem). What it has
// taken is counted for ss(8): netstack does not tell how much of it waits.
func (c *Conn) Write(b []byte) (n int, err error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	var r bytes.Reader
	for first := true; first || n < len(b); first = false {
		piece := b[n:]
		if len(piece) > 0 {
			granted, err := c.await(&c.writeDeadline, func() (int, <-chan struct{}, error) {
				granted, changed := c.f.send.reserve(len(piece), time.Now())
				return granted, changed, nil
			})
			if err != nil {
				return n, c.opError("write", err)
			}
			piece = piece[:granted]
		}
		r.Reset(piece)
		taken, err := c.retry(&c.writeDeadline, waiter.WritableEvents, func() (int, tcpip.Error) {
			if r.Len() == 0 {
				return 0, nil
			}
			n, err := c.ep.Write(&r, tcpip.WriteOptions{})
			return int(n), err
		})
		c.f.written.Add(uint32(taken))
		n += taken
		if err != nil {
			return n, c.opError("write", err)
		}
	}
	return n, nil
}

// unlimitedSend is netstack's bound of what a connection holds to be sent: more
// than ours allows, so that netstack never has a Write wait.
const unlimitedSend = 1 << 30

// Room waits until something can be written without waiting, and returns how
// many bytes, at least one. The error is that of Write.
func (c *Conn) Room() (int, error) {
	n, err := c.await(&c.writeDeadline, func() (int, <-chan struct{}, error) {
		n, changed := c.f.send.room(maxWrite, time.Now())
		return n, changed, nil
	})
	if err != nil {
		return 0, c.opError("write", err)
	}
	return n, nil
}

// await calls try until it fails or need not wait, or the deadline or Close ends it.
// try returns what tells that it is worth another call; nil if there is no need.
func (c *Conn) await(d *deadline, try func() (n int, changed <-chan struct{}, err error)) (int, error) {
	for {
		passed := d.done()
		select {
		case <-c.closed:
			return 0, net.ErrClosed
		case <-passed:
			return 0, os.ErrDeadlineExceeded
		default:
		}
		n, changed, err := try()
		if err != nil || changed == nil {
			return n, err
		}
		select {
		case <-changed:
		case <-passed:
		case <-c.closed:
		}
	}
}

// Buffered is how many bytes Read returns without waiting.
func (c *Conn) Buffered() int {
	n, err := c.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	if err != nil { // it has just ended
		return 0
	}
	return n
}

// retry calls what netstack may not be able to do yet, until it can, or the deadline
// or Close ends it.
func (c *Conn) retry(d *deadline, events waiter.EventMask, try func() (int, tcpip.Error)) (int, error) {
	var entry *waiter.Entry // of ready; nil until there is something to wait for
	var ready <-chan struct{}
	defer func() {
		if entry != nil {
			c.wq.EventUnregister(entry)
		}
	}()
	return c.await(d, func() (int, <-chan struct{}, error) {
		n, err := try()
		if _, blocked := err.(*tcpip.ErrWouldBlock); blocked && entry == nil {
			e, channel := waiter.NewChannelEntry(events | waiter.EventHUp | waiter.EventErr)
			entry, ready = &e, channel
			c.wq.EventRegister(entry)
			n, err = try() // an event may have come in between
		}
		switch err.(type) {
		case nil:
			return n, nil, nil
		case *tcpip.ErrWouldBlock:
			return 0, ready, nil
		}
		return n, nil, c.errorOf(err)
	})
}

// errorOf turns what netstack says of a read or write into Go's kind of error.
// Netstack tells only once why a connection ended.
func (c *Conn) errorOf(err tcpip.Error) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	errno := syscall.EPIPE
	switch err.(type) {
	case *tcpip.ErrClosedForReceive, *tcpip.ErrClosedForSend, *tcpip.ErrNotConnected:
		if failed := c.failed.Load(); failed != nil {
			errno = *failed
		}
		return errno
	case *tcpip.ErrConnectionReset:
		errno = syscall.ECONNRESET
	case *tcpip.ErrTimeout:
		errno = syscall.ETIMEDOUT
	case *tcpip.ErrConnectionAborted, *tcpip.ErrAborted:
		errno = syscall.ECONNABORTED
	default:
		return goError(err)
	}
	c.failed.CompareAndSwap(nil, &errno)
	return errno
}

// Close implements net.Conn: it sends a FIN behind what was written, or a RST if
// something was not read (RFC 2525 section 2.17).
func (c *Conn) Close() error {
	if !c.end() {
		return c.opError("close", net.ErrClosed)
	}
	c.ep.Close()
	return nil
}

// Abort ends the connection with a RST, whatever is unsent (RFC 9293 section
// 3.10.5). It may follow Close.
func (c *Conn) Abort() {
	c.end()
	c.ep.Abort()
}

// end marks the connection as closed and reports whether it was not.
func (c *Conn) end() (first bool) {
	c.once.Do(func() {
		first = true
		close(c.closed)
		c.readDeadline.set(time.Time{})
		c.writeDeadline.set(time.Time{})
	})
	return first
}

func (c *Conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// CloseRead ends reading, as shutdown(2) does with SHUT_RD.
func (c *Conn) CloseRead() error { return c.shutdown(tcpip.ShutdownRead) }

// CloseWrite sends a FIN behind what was written, as shutdown(2) does with SHUT_WR.
func (c *Conn) CloseWrite() error { return c.shutdown(tcpip.ShutdownWrite) }

func (c *Conn) shutdown(how tcpip.ShutdownFlags) error {
	if c.isClosed() {
		return c.opError("close", net.ErrClosed)
	}
	switch err := c.ep.Shutdown(how); err.(type) {
	case nil:
		if how&tcpip.ShutdownWrite != 0 {
			c.f.send.finish()
		}
		return nil
	case *tcpip.ErrNotConnected:
		return c.opError("close", os.NewSyscallError("shutdown", syscall.ENOTCONN))
	default:
		return c.opError("close", goError(err))
	}
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, &c.readDeadline, &c.writeDeadline)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(t, &c.readDeadline) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(t, &c.writeDeadline) }

func (c *Conn) setDeadline(t time.Time, deadlines ...*deadline) error {
	if c.isClosed() {
		return c.opError("set", net.ErrClosed)
	}
	for _, d := range deadlines {
		d.set(t)
	}
	return nil
}

// opError is an error in the form that net has for those of a connection.
func (c *Conn) opError(op string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}
