package compare

import (
	"errors"
	"fmt"
	"net/netip"
)

// serverAddr is where both servers listen.
var serverAddr = netip.MustParseAddrPort("192.0.2.2:80")

// subnet is the network between clients and server.
var subnet = netip.MustParsePrefix("192.0.2.0/24")

// server is a listening socket under test, with the wire to it.
type server interface {
	// listen opens the listening socket with these settings.
	listen(settings map[string]int) error
	// setBacklog is a second listen(2).
	setBacklog(n int) error
	// accept takes a connection, if there is one, and says whose it is; finish
	// closes the first one taken.
	accept() (peer netip.AddrPort, err error)
	finish() error
	closeListener() error
	// counters are the counters by the kernel's names.
	counters() (map[string]uint64, error)
	// send puts a client's packet on the wire, receive takes one of the server's
	// off it and fails when the server is closed.
	send(packet []byte) error
	receive(buf []byte) (int, error)
	// close removes everything.
	close() error
}

// errNothing is what accept finds in an empty queue.
var errNothing = errors.New("nothing to accept")

// newServer makes one of the two servers.
func newServer(kind Kind) (server, error) {
	switch kind {
	case Kernel:
		return newKernelServer()
	case Ours:
		return newOurServer()
	}
	return nil, fmt.Errorf("no server of kind %q", kind)
}

// Kind says whose listener it is.
type Kind string

// The two sides.
const (
	Kernel Kind = "kernel"
	Ours   Kind = "tcplab"
)
