// Package events carries what happened at a listener to whoever wants to see
// it: a terminal, a file, a client of the control socket.
//
//	listener.Config.Observer ──► Hub.Publish ──► Subscription ──► Next ──► Record ──► text, JSON
//	(with the listener's lock)                  (a ring each)
//
// Packets never wait for a reader. A subscription holds a bounded number of
// events; when its reader is slower than they come, the oldest ones are lost,
// and the next event that it gets says how many.
//
// # Concurrency
//
// Hub and Subscription are safe for concurrent use. The package starts no
// goroutine.
package events
