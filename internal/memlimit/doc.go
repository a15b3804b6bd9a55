// Package memlimit finds out how much memory the process may use, and keeps it to
// that: Go's collector by GOMEMLIMIT, and whatever has a bound of its own by a
// share of the limit.
//
// The limit is the smallest of $GOMEMLIMIT, the limit of the process's control
// group and those above it (memory.max of cgroup v2, memory.limit_in_bytes of v1),
// and the machine's memory.
//
// # Concurrency
//
// All functions are safe for concurrent use. Enter is called once, before the
// process gives up the right to read the files of its control group.
package memlimit
