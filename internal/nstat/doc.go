// Package nstat shows the counters of an endpoint as nstat(8) of iproute2 shows
// those of the kernel: what has changed since the last call of the same user, or
// absolute values; the same columns, flags and patterns.
//
// The last values are kept in a file for each instance. They count as long as
// the instance is the same: one that was started since begins with zeros.
package nstat
