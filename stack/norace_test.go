//go:build !race

package stack_test

// spare is how many allocations a packet may make; see race_test.go.
const spare = 0
