// Package watch is the terminal view of a running instance: both queues as slots
// that fill and drain, who is in them, the last events with their reasons, rates,
// and keys that change the backlog, the profile and the pace of accept.
//
//	control.Client ──Status, Newest──► Run ──► Model ──► View, a screen of text
//	                ◄──Set, Accept───      ◄──Action── keys
//
// Model is pure: it takes what a poll, an event or a key said, with the time, and
// has no goroutine, clock or terminal. Run puts bubbletea around it; Once prints
// a single frame.
//
// # Load
//
// What is shown costs the instance the same however fast SYNs come: a status with
// a few entries of each queue and at most keptEvents events, each interval. Rates
// are differences of counters, so they are right when events are lost; how many
// were lost is shown. The screen is drawn at most drawRate times a second.
//
// # Concurrency
//
// A Model belongs to one goroutine. Run and Once may be called from any; Run
// returns when its goroutines have ended, but for bubbletea's reader of a terminal
// that answers late, and the terminal is as it was.
package watch
