//go:build !race

package e2e

// churned is how many connections TestConnectionsComeAndGo opens and closes.
const churned = 100_000
