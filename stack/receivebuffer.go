package stack

import (
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
	"tcplab/stack/tcpmem"
)

// receiveBuffer is what a connection may hold of what its client has sent: what
// the application has not read, and what came out of order. Netstack does not
// tell how much memory that is, and an enemy decides it, by the size and the order
// of the segments. So all that netstack may take is reserved in advance, and
// netstack bounds what it takes, overhead included (rcvMemUsed).
type receiveBuffer struct {
	pool *tcpmem.Pool

	mu   sync.Mutex // guards the following
	ep   *tcp.Endpoint
	size int // of netstack's buffer, reserved
	over bool
	rate rate // of what the application has read
}

// initialReceive is the buffer of a connection whose application has read nothing.
// Netstack offers half of a buffer as window: as much as one without window
// scaling can be.
const initialReceive = 128 << 10

// begin gives the connection its first buffer.
func (b *receiveBuffer) begin(ep *tcp.Endpoint) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return
	}
	b.ep = ep
	b.size = b.pool.Reserve(tcpmem.Want{More: initialReceive, Initial: initialReceive})
	size := b.size
	b.mu.Unlock()
	// This ends netstack's own tuning too. It takes the endpoint's lock, which may be
	// held where end is called.
	ep.SocketOptions().SetReceiveBufferSize(int64(size), true)
}

// read counts bytes that the application has read, and enlarges the buffer of one
// that reads fast. Called before the next read is.
func (b *receiveBuffer) read(n int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate.add(n)
	if b.over || b.ep == nil {
		return
	}
	want := b.want(now)
	want.More = b.pool.Allowed(want) - b.size
	if want.More < b.size/4 {
		return
	}
	b.size += b.pool.Reserve(want)
	b.ep.SocketOptions().SetReceiveBufferSize(int64(b.size), false)
}

// shrink takes back what an application that reads less no more needs. It must
// be called only when netstack holds nothing of the client's.
func (b *receiveBuffer) shrink(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.ep == nil {
		return
	}
	allowed := b.pool.Allowed(b.want(now))
	if b.size < allowed+allowed/4 {
		return
	}
	b.ep.SocketOptions().SetReceiveBufferSize(int64(allowed), false)
	b.pool.Release(b.size, b.size-allowed)
	b.size = allowed
}

// nothingReceived reports whether netstack holds nothing of the client's: all that
// it has sent is acknowledged, so nothing came out of order, and was read.
func (f *flow) nothingReceived(ep *tcp.Endpoint) bool {
	n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return err == nil && n == 0 && !segment.After(f.rcvMax.Load(), f.rcvNxt.Load())
}

func (b *receiveBuffer) want(now time.Time) tcpmem.Want {
	return tcpmem.Want{Held: b.size, Initial: initialReceive, Delivered: b.rate.value(now)}
}

// end frees everything: the connection is gone.
func (b *receiveBuffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pool.Release(b.size, b.size)
	b.over, b.size = true, 0
}
