//go:build !amd64

package sandbox

// foreignAttacks are none where a process has no second way to make calls.
func foreignAttacks() map[string]attack { return nil }
