//go:build !race

package handshake_test

// forgeries is how many cookies TestForgedCookies tries.
const forgeries = 10_000_000
