package bench

import (
	"sync/atomic"

	"tcplab/tun"
	"tcplab/tun/offload"
)

// bareLoop reads packets and drops them.
type bareLoop struct {
	packets atomic.Uint64
	done    chan struct{} // closed when the device cannot be read any more
}

func (l *bareLoop) run(dev *tun.Device) {
	defer close(l.done)
	buf := make([]byte, offload.Size+offload.MaxPacket)
	for {
		var err error
		if dev.Offload() {
			_, _, err = dev.ReadOffload(buf)
		} else {
			_, err = dev.Read(buf)
		}
		if err != nil {
			return
		}
		l.packets.Add(1)
	}
}
