// Package instance is the life of "tcplab up" as a process: it claims the
// control socket, brings the endpoint up, says where it listens, tells what
// happens, and takes everything down again when it is asked to, by its context
// or by "tcplab down", or when it cannot go on.
//
//	claim the name ─► endpoint up ─► banner ─► events … ─► endpoint down ─► give back the name ─► totals
//
// A reader of the output who is too slow loses events and is told how many; one
// who has stopped reading does not keep the instance from ending.
package instance
