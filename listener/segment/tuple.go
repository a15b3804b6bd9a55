package segment

import "net/netip"

// Tuple names a connection: the client's address and port and ours. It is
// comparable and holds no pointer, so that millions of them cost the collector
// nothing. IPv4 addresses are kept in their IPv4-mapped form.
type Tuple struct {
	ClientAddr, ServerAddr [16]byte
	ClientPort, ServerPort uint16
}

// NewTuple makes the tuple of a connection from client to server.
func NewTuple(client, server netip.AddrPort) Tuple {
	return Tuple{
		ClientAddr: client.Addr().As16(),
		ServerAddr: server.Addr().As16(),
		ClientPort: client.Port(),
		ServerPort: server.Port(),
	}
}

// Client is the address and port of the connecting side.
func (t Tuple) Client() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(t.ClientAddr).Unmap(), t.ClientPort)
}

// Server is the address and port of the listening side.
func (t Tuple) Server() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(t.ServerAddr).Unmap(), t.ServerPort)
}

// Is4 reports whether the connection runs over IPv4.
func (t Tuple) Is4() bool { return netip.AddrFrom16(t.ServerAddr).Is4In6() }

// String is "client > server".
func (t Tuple) String() string { return t.Client().String() + " > " + t.Server().String() }
