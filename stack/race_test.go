//go:build race

package stack_test

// spare is how many allocations a packet may make: under the race detector
// sync.Pool loses a part of what it is given, at random. scripts/test.sh runs
// these tests without it, too.
const spare = 3
