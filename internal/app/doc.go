// Package app serves the applications of tcplab on listeners, and decides how
// fast they call accept: what fills a completed queue is an application that
// does not take connections off it.
//
// # Model
//
// Each listener has a loop. A connection is taken when four things come
// together, in this order:
//
//	a connection waits ──► a worker is free ──► the gate lets through ──► accept
//	  (Ready, if any)        (Workers)            (Gate)                    │
//	      ▲                                                                 ▼
//	      └──────────────── the worker, when the connection is closed ◄── served
//
// A worker is taken before accept is called, as in a server of N processes:
// with all of them busy nobody calls accept, and the queue fills.
//
// # Listeners
//
// Any net.Listener will do. What else it can makes the gate and the end of a
// Server exact:
//
//	AcceptContext(context.Context) (net.Conn, error)
//	SetDeadline(time.Time) error
//	Ready(context.Context) error
//
// With AcceptContext, or else SetDeadline, a loop leaves accept as soon as the
// gate closes or the server ends. With neither it stays there, takes one
// connection more, and ends only when the listener is closed.
//
// Ready waits until accept would not block, and takes nothing. Without it a
// loop waits for its connection inside accept, with a worker and a place in
// the gate in its hands; where these are few and the listeners several, the
// others wait with it.
//
// # Concurrency
//
// Server and Gate are safe for concurrent use. Serve owns every goroutine that
// it starts and returns when they have ended.
package app
