// Package stack is a TCP/IP endpoint on gVisor's netstack behind a device that
// carries IP packets, with one change: the LISTEN and SYN-RECEIVED states of an
// open port belong to somebody else, and netstack adopts their connections once
// the handshake is done.
//
// # Adoption
//
// Netstack has no call that takes over a finished handshake, so it is given one
// to perform, with the client played by us:
//
//	client      listener                link                    netstack
//	  │── SYN ────►│                      │                         │
//	  │◄─ SYN-ACK ─│ ISS = a              │                         │
//	  │── ACK ────►│── Adopt ────────────►│── the client's SYN ────►│
//	  │            │                      │◄─ SYN-ACK, ISS = b ─────│ caught
//	  │            │                      │── the client's ACK ────►│ ack - (a-b)
//	  │◄───────────┼── seq + (a-b) ───────│◄── data ────────────────│
//	  │── data ────┼─────────────────────►│── ack - (a-b) ─────────►│
//
// From then on the two sides differ by constants, which the link adds and
// subtracts: sequence numbers, acknowledgments and SACK blocks, timestamps.
// Linux does the same for its SYN proxy (nf_synproxy_core, nf_conntrack_seqadj).
//
// # Fail closed
//
// Netstack listens on an open port with a queue that never decides anything,
// and what it hears there comes from adoptions alone. A packet that cannot be
// read as a whole TCP segment does not reach it, and a segment that it sends
// from an open port for no connection that was adopted does not leave.
//
// # Concurrency
//
// A Stack is safe for concurrent use. It has one goroutine that reads the
// device, one that finishes adoptions, one a port that collects what netstack
// accepted, and netstack's own; Close ends and awaits them. No lock of ours is
// held while netstack is called, as netstack calls back with locks of its own.
package stack
