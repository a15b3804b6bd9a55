package stack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// wallClock are what take a time's monotonic reading away, or need its wall
// reading (package time, "Monotonic Clocks"): what is computed from them moves
// when somebody sets the clock.
var wallClock = map[string]bool{
	"UTC": true, "Local": true, "AddDate": true, "Date": true, "Clock": true, "Unix": true, "UnixMilli": true,
	"UnixMicro": true, "UnixNano": true, "Weekday": true, "YearDay": true,
}

// Everything that waits or measures between a packet and the application does so
// on the monotonic clock, which nobody can set. That of events and captures, which
// people read, is made elsewhere.
func TestTimersAreMonotonic(t *testing.T) {
	seen := 0
	for _, dir := range []string{".", "../listener", "../listener/backlog", "../listener/handshake", "../tun", "../internal/app", "../internal/bell"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			ast.Inspect(parsed, func(n ast.Node) bool {
				selector, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" {
					return true // time.Unix makes one; time.Now has both readings
				}
				if wallClock[selector.Sel.Name] {
					t.Errorf("%s: %s is of the wall clock", set.Position(n.Pos()), selector.Sel.Name)
				}
				return true
			})
		}
	}
	if seen < 40 {
		t.Errorf("looked at %d files only", seen)
	}
}
