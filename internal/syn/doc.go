// Package syn sends SYNs of clients that do not exist to a listener of a running
// instance, and says what came back.
//
// The packets are put on the instance's interface by a packet socket that is
// bound to it (packet(7)): no route is asked, so that none can leave by another
// interface, and tcpdump on the interface shows them. The clients' addresses are
// those of RFC 5737 and RFC 3849 (TEST-NET-1 to 3, 2001:db8::/32), without the
// instance's own subnets. Only an address at which the instance listens is
// accepted as a destination. The answers go to the host's kernel, which drops
// what is for none of its addresses, unless it forwards: then Run refuses.
//
// Run may be called by many goroutines; each call has a socket and a goroutine
// of its own, and ends both.
package syn
