// Package listener is a net.Listener that keeps the two queues of listen(2)
// itself: it puts a lock and a clock around the pure machine of package
// handshake and connects it to a TCP that carries the connections on.
//
//	 segments                Machine                    net.Conn
//	───────────► Segment ──► (lock, clock) ──► Port.Adopt ──► Accept ──►
//	 SYN-ACK, RST  Port.Send ◄──┘    └──► Observer: what happened, and why
//
// # Concurrency
//
// A Listener is safe for concurrent use. One goroutine of its own fires the
// SYN-ACK timers; Close ends it and waits for it. The Port is called without
// the listener's lock held, the Observer with it.
package listener
