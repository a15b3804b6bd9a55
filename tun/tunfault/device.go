package tunfault

import (
	"os"
	"sync"
	"time"
)

// Inner is the device that is made bad. stack.Device is one.
type Inner interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	MTU() int
	Close() error
}

// Device is a device with faults in both directions. It is safe for concurrent
// use.
type Device struct {
	Inner
	in, out *line
	read    chan []byte   // packets for Read; never closed
	quit    chan struct{} // closed by Close
	failed  chan struct{} // closed by the reader when inner cannot be read any more
	readErr error         // why; written before failed is closed
	reader  sync.WaitGroup
	closing sync.Once
	err     error // of Close
}

// readAhead is how many packets wait for Read. What is beyond is lost, as on an
// interface.
const readAhead = 1 << 12

// Wrap puts faults in front of inner, which is closed with the device.
func Wrap(inner Inner, cfg Config) (*Device, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	d := &Device{Inner: inner, read: make(chan []byte, readAhead), quit: make(chan struct{}), failed: make(chan struct{})}
	d.in = newLine(NewFaults(cfg, 1), func(packet []byte) {
		select {
		case d.read <- packet:
		default:
		}
	})
	d.out = newLine(NewFaults(cfg, 2), func(packet []byte) {
		_, _ = inner.Write(packet) // what a device does not take is lost, as on any link
	})
	d.reader.Go(d.readInner)
	return d, nil
}

// readInner takes packets off the inner device until that fails.
func (d *Device) readInner() {
	defer close(d.failed)
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Inner.Read(buf)
		if err != nil {
			d.readErr = err
			return
		}
		d.in.send(buf[:n])
	}
}

// Read reads a packet that came through.
func (d *Device) Read(p []byte) (int, error) {
	select {
	case packet := <-d.read:
		return copy(p, packet), nil
	case <-d.failed:
		return 0, d.readErr
	case <-d.quit:
		return 0, os.ErrClosed
	}
}

// Write sends a packet, which may not arrive.
func (d *Device) Write(p []byte) (int, error) {
	d.out.send(p)
	return len(p), nil
}

// Counts are the faults so far, of what was read and of what was written.
func (d *Device) Counts() (in, out Counts) { return d.in.counts(), d.out.counts() }

// Close closes the inner device and waits until nothing is under way any more.
func (d *Device) Close() error {
	d.closing.Do(func() {
		close(d.quit)
		d.err = d.Inner.Close()
		d.reader.Wait()
		d.in.close()
		d.out.close()
	})
	return d.err
}

// line is one direction.
type line struct {
	deliver func([]byte)

	mu      sync.Mutex // guards the following
	faults  *Faults
	pending map[*time.Timer]struct{}
	closed  bool
	late    sync.WaitGroup // deliveries that were delayed
	scratch []Delivery
}

func newLine(f *Faults, deliver func([]byte)) *line {
	return &line{faults: f, deliver: deliver, pending: make(map[*time.Timer]struct{})}
}

// send decides what becomes of packet and delivers it, now or later.
func (l *line) send(packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.scratch = l.faults.Next(l.scratch[:0], packet)
	for _, d := range l.scratch {
		if d.After == 0 {
			l.deliver(d.Packet)
			continue
		}
		l.late.Add(1)
		var timer *time.Timer
		timer = time.AfterFunc(d.After, func() { // it waits for the lock that is held here
			defer l.late.Done()
			l.mu.Lock()
			delete(l.pending, timer)
			l.mu.Unlock()
			l.deliver(d.Packet)
		})
		l.pending[timer] = struct{}{}
	}
}

func (l *line) counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults.Counts()
}

// close forgets what is under way.
func (l *line) close() {
	l.mu.Lock()
	l.closed = true
	for timer := range l.pending {
		if timer.Stop() {
			l.late.Done()
		}
	}
	clear(l.pending)
	l.mu.Unlock()
	l.late.Wait()
}
