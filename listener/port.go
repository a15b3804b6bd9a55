package listener

import (
	"net"
	"net/netip"

	"tcplab/listener/segment"
)

// Port is a TCP port of an endpoint whose LISTEN and SYN-RECEIVED states are
// the listener's, and everything after them the endpoint's. Its methods are
// safe for concurrent use and do not wait for the network.
type Port interface {
	// Addr is the address that the port listens at.
	Addr() net.Addr
	// Subnets are the endpoint's own addresses with their networks.
	Subnets() []netip.Prefix
	// Promises are what a SYN-ACK may offer over IPv4 and over IPv6.
	Promises() (v4, v6 segment.Promise)
	// Send sends a segment to the client of its tuple. Losses are TCP's to mend.
	Send(s *segment.Segment)
	// Adopt has the endpoint's TCP carry on a finished handshake. first is the IP
	// packet that finished it; it is copied. Exactly one of Established and
	// Failed is called on conn within a bounded time, perhaps before Adopt
	// returns; after Established, Ended once when the connection is no more.
	Adopt(h segment.Handshake, first []byte, conn Adopted)
	// Close gives the port back. Established connections go on.
	Close() error
}

// Adopted is told how an adoption went. It is an alias so that an endpoint can
// name the same interface without importing this package.
type Adopted = interface {
	Established(conn net.Conn)
	Failed(err error)
	Ended()
}

// Aborter is a connection that can be ended with a RST. What Established hands
// over implements it.
type Aborter interface{ Abort() }
