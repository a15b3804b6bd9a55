package tunfault

import (
	"os"
	"sync"
	"time"

	"tcplab/tun/offload"
)

// Inner is the device that is made bad. stack.Device is one.
type Inner interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	MTU() int
	Close() error
}

// offloader is an Inner with offload, if Offload says so. stack.Offloader is one.
type offloader interface {
	Inner
	Offload() bool
	ReadOffload(p []byte) (offload.Header, []byte, error)
	WriteOffload(h offload.Header, framed []byte) error
}

// Device is a device with faults in both directions, and with offload if the one
// inside has it. It is safe for concurrent use.
type Device struct {
	Inner
	offload offloader // Inner, if it has offload; nil otherwise
	in, out *line
	read    chan frame    // packets for Read; never closed
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
	d := &Device{Inner: inner, read: make(chan frame, readAhead), quit: make(chan struct{}), failed: make(chan struct{})}
	if inner, ok := inner.(offloader); ok && inner.Offload() {
		d.offload = inner
	}
	d.in = newLine(NewFaults(cfg, 1), func(f frame) {
		select {
		case d.read <- f:
		default:
		}
	})
	d.out = newLine(NewFaults(cfg, 2), d.writeInner)
	d.reader.Go(d.readInner)
	return d, nil
}

// readInner takes packets off the inner device until that fails.
func (d *Device) readInner() {
	defer close(d.failed)
	buf := make([]byte, offload.Size+offload.MaxPacket)
	for {
		var f frame
		var n int
		var err error
		if d.offload != nil {
			f.header, f.packet, err = d.offload.ReadOffload(buf)
		} else {
			n, err = d.Inner.Read(buf)
			f.packet = buf[:max(n, 0)]
		}
		if err != nil {
			d.readErr = err
			return
		}
		d.in.send(f)
	}
}

// writeInner gives a packet that came through to the inner device. What that
// does not take is lost, as on any link.
func (d *Device) writeInner(f frame) {
	if d.offload != nil {
		_ = d.offload.WriteOffload(f.header, append(make([]byte, offload.Size, offload.Size+len(f.packet)), f.packet...))
		return
	}
	_, _ = d.Inner.Write(f.packet)
}

// Offload reports whether the inner device has it.
func (d *Device) Offload() bool { return d.offload != nil }

// Read reads a packet that came through.
func (d *Device) Read(p []byte) (int, error) {
	f, err := d.next()
	return copy(p, f.packet), err
}

// ReadOffload does the same with what is said about the packet.
func (d *Device) ReadOffload(p []byte) (offload.Header, []byte, error) {
	f, err := d.next()
	return f.header, p[:copy(p, f.packet)], err
}

// next waits for a packet that came through.
func (d *Device) next() (frame, error) {
	select {
	case f := <-d.read:
		return f, nil
	case <-d.failed:
		return frame{}, d.readErr
	case <-d.quit:
		return frame{}, os.ErrClosed
	}
}

// Write sends a packet, which may not arrive.
func (d *Device) Write(p []byte) (int, error) {
	d.out.send(frame{packet: p})
	return len(p), nil
}

// WriteOffload does the same with what is said about the packet, which lies
// behind offload.Size bytes of room.
func (d *Device) WriteOffload(h offload.Header, framed []byte) error {
	d.out.send(frame{h, framed[offload.Size:]})
	return nil
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
	deliver func(frame)

	mu      sync.Mutex // guards the following
	faults  *Faults
	pending map[*time.Timer]struct{}
	closed  bool
	late    sync.WaitGroup // deliveries that were delayed
	scratch []Delivery
}

func newLine(f *Faults, deliver func(frame)) *line {
	return &line{faults: f, deliver: deliver, pending: make(map[*time.Timer]struct{})}
}

// send decides what becomes of a packet and delivers it, now or later.
func (l *line) send(f frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.scratch = l.faults.Next(l.scratch[:0], f.packet)
	for _, d := range l.scratch {
		arrived := f.arrived(d)
		if d.After == 0 {
			l.deliver(arrived)
			continue
		}
		l.late.Add(1)
		var timer *time.Timer
		timer = time.AfterFunc(d.After, func() { // it waits for the lock that is held here
			defer l.late.Done()
			l.mu.Lock()
			delete(l.pending, timer)
			l.mu.Unlock()
			l.deliver(arrived)
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
