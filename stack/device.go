package stack

import "tcplab/tun/offload"

// Device carries whole IP packets between the endpoint and the host. Write is
// safe for concurrent use; Read is called from one goroutine. Close ends a
// blocked Read.
type Device interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	MTU() int
	Close() error
}

// Offloader is a Device that can carry TCP segments larger than its MTU, and
// checksums that are not finished. Where Offload reports true, the following
// are called instead of Read and Write.
type Offloader interface {
	Device
	Offload() bool
	// ReadOffload reads a packet into p, and returns where in p it lies and what
	// the host says about it.
	ReadOffload(p []byte) (offload.Header, []byte, error)
	// WriteOffload writes the packet that lies in framed behind offload.Size bytes
	// of room, which it may write to.
	WriteOffload(h offload.Header, framed []byte) error
}
