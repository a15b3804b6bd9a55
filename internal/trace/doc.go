// Package trace shows the packets between the host and an endpoint, each
// together with what the listener made of it.
//
//	stack.Tap ────────────► Recorder ──► Subscription ──► Next ──► Packet{Data, Events}
//	listener.Config.Observer ──┘         (a ring each)
//
// # Which packet an event belongs to
//
// The goroutine that reads the device handles a packet to its end before it
// takes the next, so what the listener says about that connection meanwhile is
// about that packet: SYN admitted, dropped, repeated, cookie sent, final ACK
// dropped, promoted, reset. The packet is handed on when it has been handled, and
// packets that leave meanwhile come behind it: a SYN-ACK never stands before its
// SYN. An entry that was evicted is shown at the SYN that took its place.
//
// What the timers do shows at the packet that they send: a SYN-ACK sent again,
// the RST of an entry that has expired, of an adoption that failed, of a listener
// that closed. The listener says so just before it sends.
//
// Some events come with no packet: accept takes a connection, a parked one moves
// on, an entry expires in silence, netstack has worked off a client's RST a
// moment after it came. They go to the next packet of their connection, in either
// direction. Where none can follow, or none does within a second, they go to the
// next packet at all; Packet.Foreign tells such events by their tuple. If there
// is no further packet, or too many wait for one, they are dropped and counted:
// package events is where every event is.
//
// # Losses
//
// Packets never wait for a reader. A subscription holds a bounded number of
// packets and of bytes; when its reader is slower than they come, the oldest ones
// are lost, and the next one that it gets says how many.
//
// # Concurrency
//
// Recorder and Subscription are safe for concurrent use. The package starts no
// goroutine. While nobody subscribes, a packet costs the reading of one atomic
// number; otherwise a copy, of the longest length that a subscription asks for. The
// packets of several subscriptions share that copy, which must not be changed.
// Readers that give it back (Packet.Release) spare the endpoint new memory.
package trace
