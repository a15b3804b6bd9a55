package instance

import "testing"

// SetFileRing has files of events wait with n events for the time of a test.
func SetFileRing(t *testing.T, n int) {
	before := fileRing
	fileRing = n
	t.Cleanup(func() { fileRing = before })
}
