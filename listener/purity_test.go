package listener_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure are the packages that decide: events and the time come in, verdicts and
// the next deadline go out. That is why the same code runs on the wire, in a
// table test, under a fuzzer and in a simulation.
var pure = []string{"segment", "backlog", "backlog/profiles", "handshake"}

// forbidden says why a pure package imports none of these, nor what lies below
// them.
var forbidden = map[string]string{
	"gvisor.dev/gvisor":        "the TCP behind the listener is exchangeable; the core knows nothing of it",
	"github.com/songgao/water": "packets come and go through the caller",
	"golang.org/x/sys":         "no system calls",
	"tcplab/stack":             "the stack stands on the core, not under it",
	"tcplab/tun":               "packets come and go through the caller",
	"tcplab/internal":          "the core serves everybody",
	"tcplab/listener":          "the shell uses the core, not the other way round",
	"os":                       "no I/O",
	"io":                       "no I/O",
	"net":                      "no I/O; addresses are those of net/netip",
	"syscall":                  "no system calls",
	"log":                      "what happens is told by events; the caller logs",
	"sync":                     "no lock: a type outside holds it",
	"context":                  "nothing waits here",
	"runtime":                  "results do not depend on the machine",
	"unsafe":                   "malformed packets must not reach memory",
	"math/rand":                "the same input gives the same output",
	"crypto/rand":              "the same input gives the same output; keys are handed in",
	"testing":                  "helpers of tests stand in test files",
}

// allowed are exceptions below what is forbidden.
var allowed = []string{
	"net/netip", "tcplab/listener/segment", "tcplab/listener/backlog", "tcplab/listener/handshake",
}

// clocks are what of package time reads or waits for a clock.
var clocks = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Local",
}

func TestCoreIsPure(t *testing.T) {
	for _, pkg := range pure {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files of package %s: %v", pkg, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, impurity := range impurities(t, file, source) {
				t.Error(impurity)
			}
		}
	}
}

// impurities lists what a pure package must not do.
func impurities(t *testing.T, file string, source []byte) []string {
	t.Helper()
	var found []string
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	complain := func(at token.Pos, format string, args ...any) {
		found = append(found, fset.Position(at).String()+": "+fmt.Sprintf(format, args...))
	}
	for _, spec := range tree.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // it was parsed
		if why := reasonAgainst(path); why != "" {
			complain(spec.Pos(), "import of %s: %s", path, why)
		}
		if path == "time" && spec.Name != nil {
			complain(spec.Pos(), "package time under another name: its clocks cannot be found")
		}
	}
	ast.Inspect(tree, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.GoStmt:
			complain(n.Pos(), "goroutine: the caller has the only one")
		case *ast.ChanType:
			complain(n.Pos(), "channel: nothing waits here")
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				complain(n.Pos(), "time.%s: the time is an argument", n.Sel.Name)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				complain(n.Pos(), "%s: no I/O", f.Name)
			}
		}
		return true
	})
	return found
}

// reasonAgainst says why a pure package must not import path, nothing if it may.
func reasonAgainst(path string) string {
	below := func(root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
	if slices.ContainsFunc(allowed, below) {
		return ""
	}
	for root, why := range forbidden {
		if below(root) {
			return why
		}
	}
	return ""
}

// What the core imports does not import gVisor either, or anything else outside
// the standard library but a hash function.
func TestCoreDependsOnNothingBehindIt(t *testing.T) {
	args := []string{"list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}"}
	for _, pkg := range pure {
		args = append(args, "./"+pkg)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	known := []string{"github.com/dchest/siphash"}
	for _, pkg := range pure {
		known = append(known, "tcplab/listener/"+pkg)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if why := reasonAgainst(dep); why != "" {
			t.Errorf("the core depends on %s: %s", dep, why)
		} else if !slices.Contains(known, dep) {
			t.Errorf("the core depends on %s: say here why it may", dep)
		}
	}
}

// The check finds what it is there for.
func TestImpuritiesAreFound(t *testing.T) {
	const source = `package p
import (
	"net"
	"net/netip"
	"sync/atomic"
	tm "time"
	"time"
	"tcplab/listener/segment"
	"gvisor.dev/gvisor/pkg/tcpip"
)
func f(d time.Duration, c chan int) { go println(time.Now()); <-time.After(d); _ = time.Second }
`
	found := strings.Join(impurities(t, "p.go", []byte(source)), "\n")
	for _, want := range []string{
		"import of net:", "import of sync/atomic:", "under another name", "import of gvisor.dev/gvisor/pkg/tcpip:",
		"channel:", "goroutine:", "println:", "time.Now:", "time.After:",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("%q was not found in:\n%s", want, found)
		}
	}
	for _, fine := range []string{"import of net/netip", "import of tcplab", "Second", "Duration"} {
		if strings.Contains(found, fine) {
			t.Errorf("%s is no impurity:\n%s", fine, found)
		}
	}
}
