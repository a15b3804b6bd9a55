// Package capture writes the packets of an endpoint as a pcapng file, with the
// listener's reasoning as comments on them.
//
//	trace.Subscription ──► Encoder ──blocks──► Sink: File (rotates), Stream
//	                                                         │ the control socket
//	                                           Sink ◄── Receive ◄── Scanner
//
// The format is that of draft-ietf-opsawg-pcapng: one section, one interface of
// LINKTYPE_RAW, an Enhanced Packet Block a packet, and an Interface Statistics
// Block at the end. gopacket's NgWriter makes the blocks; its packet options have
// comments, direction and losses (opt_comment, epb_flags, epb_dropcount), so
// nothing is encoded here. What NgWriter does not do is to keep blocks whole where
// an output fails or a file is full: so it writes to memory, and a Sink takes one
// whole block at a time.
//
// # Times
//
// A packet is written within a hundredth of a second, as readers are woken for
// many packets at once, and flushed with it.
//
// # Concurrency
//
// Nothing here is safe for concurrent use, but File.Close. The package starts no
// goroutine.
package capture
