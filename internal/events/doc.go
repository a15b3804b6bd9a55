// Package events carries what happened at a listener to whoever wants to see
// it: a terminal, a file, a client of the control socket.
//
//	listener.Config.Observer ──► Hub.Publish ──► Subscription ──► Next ──► Record ──► text, JSON
//	(with the listener's lock)                  (a ring each)
//
// A subscription holds a bounded number of events; when its reader is slower than
// they come, the oldest ones are lost, and the next event that it gets says how
// many. Packets do not wait for a reader, but for one that records everything (Hub.
// Record), and for that only while it makes progress.
//
// # Concurrency
//
// Hub and Subscription are safe for concurrent use. The package starts no
// goroutine.
package events
