//go:build race

package e2e

// churned is how many connections TestConnectionsComeAndGo opens and closes. Under
// the race detector that takes long; scripts/test.sh runs it without it, too.
const churned = 10_000
