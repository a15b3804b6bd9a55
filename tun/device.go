package tun

import (
	"errors"
	"os"
	"sync"

	"github.com/songgao/water"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tcplab/internal/rtnetlink"
)

// Device is a TUN interface that this process made. It is safe for concurrent
// use.
type Device struct {
	made  made
	index int
	mark  string // see newMark
	home  uint64 // the inode of the namespace in which it was made
	// ifce is kept as long as the device lives: water closes its file when it is
	// collected.
	ifce    *water.Interface
	offload bool  // each packet has an offload header in front
	refused error // why there is no offload though it was wanted
	// kernel answers questions about the network namespace in which the interface
	// was made.
	kernel *rtnetlink.Conn

	// writing is held for reading by each Write, for writing by Close: fd is
	// valid meanwhile.
	writing sync.RWMutex
	fd      int
	closed  bool

	once sync.Once
	err  error // of Close; written in once
}

// Create makes the interface in the network namespace of the calling thread,
// gives it addresses, MTU and queue length, and brings it up. On an error
// everything is undone. The device opens no socket after Create.
func Create(cfg Config) (*Device, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	fail := func(op string, err error) (*Device, error) {
		return nil, &Error{Op: op + " interface", Name: cfg.Name, Err: err, Hint: hintFor(err)}
	}
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fail("creating", err)
	}
	defer links.Close()
	// Attaching to a persistent interface of somebody else's would work, and be
	// wrong.
	if err := nameFree(links, cfg.Name); err != nil {
		return fail("creating", err)
	}
	if err := addressesFree(links, cfg.Host); err != nil {
		return fail("giving an address to", err)
	}
	kernel, err := rtnetlink.Open()
	if err != nil {
		return fail("creating", err)
	}
	d := &Device{kernel: kernel, mark: newMark(), home: inode("/proc/thread-self/ns/net"), made: made{
		name: cfg.Name, mtu: cfg.MTU, queueLen: cfg.QueueLen, host: cfg.Host, peers: cfg.Peers,
	}}
	if err := d.open(links, cfg.Offload); err != nil {
		return fail("creating", errors.Join(err, kernel.Close()))
	}
	if err := d.configure(links, cfg); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// open makes the interface, with offload if that is wanted and the kernel agrees.
func (d *Device) open(links *netlink.Handle, wanted bool) (err error) {
	if err := clearLeftovers(links); err != nil {
		return err
	}
	if wanted {
		d.ifce, d.refused = openOffload(links)
		d.offload = d.refused == nil
	}
	if !d.offload {
		if d.ifce, err = open(d.made.name); err != nil {
			return err
		}
	}
	if d.fd, err = descriptor(d.ifce); err != nil {
		return errors.Join(err, d.ifce.Close())
	}
	return nil
}

// Name is the interface's name.
func (d *Device) Name() string { return d.made.name }

// MTU is the interface's MTU in bytes, as it was created.
func (d *Device) MTU() int { return d.made.mtu }

// Read reads one IP packet of an interface without offload. After Close the
// error is os.ErrClosed.
func (d *Device) Read(p []byte) (int, error) { return d.ifce.Read(p) }

// Write writes one IP packet to an interface without offload. It never waits:
// the kernel takes the packet at once or not at all. Many goroutines may write
// at the same time; os.File would have them queue up, with the locks held that
// they come with.
func (d *Device) Write(p []byte) (int, error) {
	d.writing.RLock()
	defer d.writing.RUnlock()
	if d.closed {
		return 0, d.errClosed()
	}
	for {
		n, err := unix.Write(d.fd, p)
		if err == nil || !errors.Is(err, unix.EINTR) {
			return max(n, 0), err
		}
	}
}

func (d *Device) errClosed() error {
	return &os.PathError{Op: "write", Path: d.made.name, Err: os.ErrClosed}
}

// Close removes the interface and ends a blocked Read. The interface is gone
// when it returns. Later calls return what the first one did.
func (d *Device) Close() error {
	d.once.Do(func() {
		link, _ := d.find() // nil: there is nothing to wait for
		d.writing.Lock()
		d.closed = true
		d.writing.Unlock()
		err := d.ifce.Close() // the last descriptor: the kernel removes the interface
		if errors.Is(err, os.ErrClosed) {
			err = nil
		}
		d.err = errors.Join(err, d.awaitGone(link), d.kernel.Close())
	})
	return d.err
}
