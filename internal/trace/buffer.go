package trace

import (
	"sync"
	"sync/atomic"
)

// bufferSizes are the sizes of the memory that packets are copied to: a bare
// ACK, one of Ethernet's, and the largest that there is.
var bufferSizes = [...]int{256, 2 << 10, 16 << 10, 68 << 10}

// buffers are memory that packets were copied to. To use it again matters more
// than the copy: memory that is new to the process costs a page fault for every
// 4 kB.
var buffers [len(bufferSizes)]sync.Pool

// buffer is memory for one packet. It goes back when all subscriptions that the
// packet was handed to have given it back; if one never does, the collector takes
// it.
type buffer struct {
	bytes []byte
	class int // of bufferSizes; len(bufferSizes) where none is large enough
	users atomic.Int32
}

// newBuffer is memory for n bytes, with anything in it.
func newBuffer(n int) *buffer {
	for class, size := range bufferSizes {
		if n > size {
			continue
		}
		if b, ok := buffers[class].Get().(*buffer); ok {
			return b
		}
		return &buffer{bytes: make([]byte, size), class: class}
	}
	return &buffer{bytes: make([]byte, n), class: len(bufferSizes)}
}

// release gives the memory back in the name of one subscription.
func (b *buffer) release() {
	if b.users.Add(-1) == 0 && b.class < len(buffers) {
		buffers[b.class].Put(b)
	}
}
