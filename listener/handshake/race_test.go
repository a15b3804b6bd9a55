//go:build race

package handshake_test

// forgeries is how many cookies TestForgedCookies tries: a tenth under the race
// detector. scripts/test.sh runs it without it, too.
const forgeries = 1_000_000
