package stack

import "time"

// rate is how many bytes went through in about the last second. It has no clock
// and is not safe for concurrent use. The zero value is ready for use.
type rate struct {
	since time.Time // when the second began
	bytes int       // in it
	last  int       // in the one before
}

// add counts bytes.
func (r *rate) add(n int) { r.bytes += n }

// value is the larger of this second's bytes and the last one's.
func (r *rate) value(now time.Time) int {
	if elapsed := now.Sub(r.since); elapsed >= time.Second {
		r.last = int(float64(r.bytes) / elapsed.Seconds()) // since is zero at first: nothing
		r.bytes, r.since = 0, now
	}
	return max(r.bytes, r.last)
}
