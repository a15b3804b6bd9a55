// Package handshake is TCP's LISTEN and SYN-RECEIVED states (RFC 9293 section
// 3.10.7.2 and 3.10.7.4) as a machine over segments and time, around the two
// queues of package backlog.
//
//	            SYN, room                 final ACK, room
//	LISTEN ───────────────► SYN-RECEIVED ───────────────► ESTABLISHED
//	   ▲  SYN-ACK             │   │   ▲                    adopted by the TCP
//	   │                      │   └───┘                    behind, queued until
//	   └──────────────────────┘  SYN-ACK again             accept
//	     RST, SYN in window,      (duplicate SYN, timer)
//	     expiry, eviction
//
// A segment or the passing of time goes in; what to send, which connection to
// hand over and what happened come out in an Output:
//
//	var out handshake.Output
//	m.Segment(now, &seg, &out)   // now: time since an epoch of the caller's
//	...                          // send out.Send, adopt out.Adopt, tell out.Events
//	if at, ok := m.NextDeadline(); ok { /* call m.Tick at that time */ }
//
// A SYN for which there is no room is dropped, never reset: the condition is
// temporary and the client's TCP will try again, whereas a RST would be an
// error from its connect.
//
// # Concurrency
//
// The machine is pure: no clock, lock, goroutine or I/O; the same inputs give
// the same outputs. It is not safe for concurrent use.
package handshake
