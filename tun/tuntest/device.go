// Package tuntest is a device in memory, with the host's end in the test's hand.
package tuntest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
)

// Device is an in-memory device. It is safe for concurrent use and has no
// goroutine.
type Device struct {
	mtu    int
	toRead chan []byte // what the host sends; never closed
	sent   chan []byte // what the endpoint sends; never closed
	closed chan struct{}
	once   sync.Once
}

// queueLen is how many packets each direction holds.
const queueLen = 1 << 14

// New makes a device with an MTU in bytes.
func New(mtu int) *Device {
	return &Device{
		mtu: mtu, toRead: make(chan []byte, queueLen), sent: make(chan []byte, queueLen), closed: make(chan struct{}),
	}
}

// Name is a name as an interface would have.
func (d *Device) Name() string { return "tuntest0" }

// MTU is the device's MTU in bytes.
func (d *Device) MTU() int { return d.mtu }

// Read reads what the host sent.
func (d *Device) Read(p []byte) (int, error) {
	select {
	case <-d.closed:
		return 0, errClosed("read")
	default:
	}
	select {
	case packet := <-d.toRead:
		return copy(p, packet), nil
	case <-d.closed:
		return 0, errClosed("read")
	}
}

// Write sends a copy of p to the host. A packet for which there is no room is
// lost, as on an interface.
func (d *Device) Write(p []byte) (int, error) {
	select {
	case <-d.closed:
		return 0, errClosed("write")
	case d.sent <- bytes.Clone(p):
	default:
	}
	return len(p), nil
}

// Close ends a blocked Read. Later calls do nothing.
func (d *Device) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// Inject sends a copy of packet to the endpoint, as the host would.
func (d *Device) Inject(packet []byte) error {
	select {
	case <-d.closed:
		return errClosed("inject")
	case d.toRead <- bytes.Clone(packet):
		return nil
	}
}

// Sent waits for the next packet of the endpoint's.
func (d *Device) Sent(ctx context.Context) ([]byte, error) {
	select {
	case packet := <-d.sent:
		return packet, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TrySent is the next packet of the endpoint's, if there is one.
func (d *Device) TrySent() ([]byte, bool) {
	select {
	case packet := <-d.sent:
		return packet, true
	default:
		return nil, false
	}
}

func errClosed(op string) error { return fmt.Errorf("tuntest: %s: %w", op, os.ErrClosed) }
