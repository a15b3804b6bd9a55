package lab

import (
	"os"
	"sync"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/stack"
	"tcplab/tun"
)

// slowDevice is a device whose packets from the host arrive after a time, in
// order, as from far away.
type slowDevice struct {
	stack.Device
	latency time.Duration
	late    chan latePacket
	quit    chan struct{}
	failed  chan struct{}
	err     error // of Read; written before failed is closed
	once    sync.Once
	reader  sync.WaitGroup
}

type latePacket struct {
	due  time.Time
	data []byte
}

// slow makes the device that cfg describes, with latency. Called inside the
// namespace.
func slow(cfg *endpoint.Config, latency time.Duration) (stack.Device, error) {
	t := tun.Config{Name: cfg.Dev, MTU: cfg.MTU}
	for _, link := range cfg.Links {
		t.Host = append(t.Host, link.Host)
	}
	inner, err := tun.Create(t)
	if err != nil {
		return nil, err
	}
	d := &slowDevice{
		Device: inner, latency: latency,
		late: make(chan latePacket, 1<<12), quit: make(chan struct{}), failed: make(chan struct{}),
	}
	d.reader.Go(d.readInner)
	return d, nil
}

func (d *slowDevice) readInner() {
	defer close(d.failed)
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Device.Read(buf)
		if err != nil {
			d.err = err
			return
		}
		select {
		case d.late <- latePacket{time.Now().Add(d.latency), append([]byte(nil), buf[:n]...)}:
		default: // lost, as on any link
		}
	}
}

// Read reads a packet when it is due.
func (d *slowDevice) Read(p []byte) (int, error) {
	select {
	case packet := <-d.late:
		select {
		case <-time.After(time.Until(packet.due)):
			return copy(p, packet.data), nil
		case <-d.quit:
			return 0, os.ErrClosed
		}
	case <-d.failed:
		return 0, d.err
	case <-d.quit:
		return 0, os.ErrClosed
	}
}

// Close closes the device under it.
func (d *slowDevice) Close() error {
	var err error
	d.once.Do(func() {
		close(d.quit)
		err = d.Device.Close()
		d.reader.Wait()
	})
	return err
}
