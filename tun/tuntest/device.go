// Package tuntest is a device in memory, with the host's end in the test's hand.
package tuntest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// Device is an in-memory device. It is safe for concurrent use and has no
// goroutine.
type Device struct {
	mtu     int
	offload bool
	toRead  chan packet // what the host sends; never closed
	sent    chan packet // what the endpoint sends; never closed
	closed  chan struct{}
	once    sync.Once
}

// packet is a packet and what is said about it.
type packet struct {
	header offload.Header
	data   []byte
}

// queueLen is how many packets each direction holds.
const queueLen = 1 << 14

// New makes a device with an MTU in bytes.
func New(mtu int) *Device { return newDevice(mtu, queueLen) }

func newDevice(mtu, queue int) *Device {
	return &Device{
		mtu: mtu, toRead: make(chan packet, queue), sent: make(chan packet, queue), closed: make(chan struct{}),
	}
}

// NewOffload makes a device with offload.
func NewOffload(mtu int) *Device {
	d := New(mtu)
	d.offload = true
	return d
}

// NewSmall makes a device with offload whose queues hold few packets, so that one
// costs little: for fuzzing.
func NewSmall(mtu int) *Device {
	d := newDevice(mtu, 256)
	d.offload = true
	return d
}

// Name is a name as an interface would have.
func (d *Device) Name() string { return "tuntest0" }

// MTU is the device's MTU in bytes.
func (d *Device) MTU() int { return d.mtu }

// Offload reports whether the device has it.
func (d *Device) Offload() bool { return d.offload }

// Read reads what the host sent.
func (d *Device) Read(p []byte) (int, error) {
	packet, err := d.read()
	return copy(p, packet.data), err
}

// ReadOffload reads what the host sent and what it says about it.
func (d *Device) ReadOffload(p []byte) (offload.Header, []byte, error) {
	packet, err := d.read()
	return packet.header, p[:copy(p, packet.data)], err
}

func (d *Device) read() (packet, error) {
	select {
	case <-d.closed:
		return packet{}, errClosed("read")
	default:
	}
	select {
	case packet := <-d.toRead:
		return packet, nil
	case <-d.closed:
		return packet{}, errClosed("read")
	}
}

// Write sends a copy of p to the host. A packet for which there is no room is
// lost, as on an interface.
func (d *Device) Write(p []byte) (int, error) { return len(p), d.write(packet{data: p}) }

// WriteOffload does the same with what is said about the packet.
func (d *Device) WriteOffload(h offload.Header, framed []byte) error {
	return d.write(packet{h, framed[offload.Size:]})
}

func (d *Device) write(p packet) error {
	p.data = bytes.Clone(p.data)
	select {
	case <-d.closed:
		return errClosed("write")
	case d.sent <- p:
	default:
	}
	return nil
}

// Close ends a blocked Read. Later calls do nothing.
func (d *Device) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// Inject sends a copy of data to the endpoint, as the host would.
func (d *Device) Inject(data []byte) error { return d.InjectOffload(offload.Header{}, data) }

// InjectOffload does the same with what the host says about the packet.
func (d *Device) InjectOffload(h offload.Header, data []byte) error {
	select {
	case <-d.closed:
		return errClosed("inject")
	case d.toRead <- packet{h, bytes.Clone(data)}:
		return nil
	}
}

// Sent waits for the next packet of the endpoint's. A checksum that was left to
// the host is completed.
func (d *Device) Sent(ctx context.Context) ([]byte, error) {
	_, data, err := d.SentOffload(ctx)
	return data, err
}

// SentOffload does the same and returns what the endpoint said about the packet,
// too.
func (d *Device) SentOffload(ctx context.Context) (offload.Header, []byte, error) {
	select {
	case packet := <-d.sent:
		packet.complete()
		return packet.header, packet.data, nil
	case <-ctx.Done():
		return offload.Header{}, nil, ctx.Err()
	}
}

// TrySent is the next packet of the endpoint's, if there is one.
func (d *Device) TrySent() ([]byte, bool) {
	select {
	case packet := <-d.sent:
		packet.complete()
		return packet.data, true
	default:
		return nil, false
	}
}

// complete does what the host would have to before the packet leaves it.
func (p *packet) complete() {
	if p.header.Flags.Has(offload.NeedsChecksum) {
		segment.CompleteChecksum(p.data[p.header.ChecksumStart:], int(p.header.ChecksumOffset))
	}
}

func errClosed(op string) error { return fmt.Errorf("tuntest: %s: %w", op, os.ErrClosed) }
