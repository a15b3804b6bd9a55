// Package backlog is the core of the core: the two queues of a listening
// socket, the limits that an operating system derives from the backlog of
// listen(2), and the verdict on every SYN and every final ACK.
//
// # Model
//
// The incomplete queue holds an entry for each SYN whose handshake is not
// finished (SYN-RECEIVED); the completed queue holds the connections whose
// handshake is (ESTABLISHED), until the application accepts them.
//
//	  SYN             final ACK             accept
//	   │ Queues.SYN      │ Queues.FinalACK     │ Queues.Accept
//	   ▼                 ▼                     ▼
//	admitted ──► incomplete ──► completed ──► gone
//	   │             │    └──► parked ──┘
//	   ▼             ▼
//	dropped       removed (reset, expired, evicted)
//
// What an operating system decides is a Profile: how it clamps the backlog, a
// rule at the SYN, a rule at the final ACK, timers. The profiles themselves
// stand in the package profiles.
//
// # Concurrency
//
// Everything here is pure: no clock, no lock, no goroutine, no I/O. Times are
// durations since an epoch of the caller's. A Queues is not safe for concurrent
// use.
package backlog
