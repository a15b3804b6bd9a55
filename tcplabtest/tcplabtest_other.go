//go:build !linux

package tcplabtest

import (
	"runtime"
	"testing"
)

// FullListener skips the test: what a full queue does, and how it is filled, is
// known of Linux alone.
func FullListener(t testing.TB) string { return skip(t) }

// ClosedPort skips the test, as FullListener does.
func ClosedPort(t testing.TB) string { return skip(t) }

func skip(t testing.TB) string {
	t.Helper()
	t.Skipf("tcplabtest: this is made on Linux only, not on %s", runtime.GOOS)
	return ""
}
