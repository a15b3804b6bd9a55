package sandbox

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs holds that each line of docs/security.md and docs/faults.md names a
// test that is there.
func TestDocs(t *testing.T) {
	for _, page := range []string{"security.md", "faults.md"} {
		t.Run(page, func(t *testing.T) { wantTests(t, page) })
	}
}

func wantTests(t *testing.T, page string) {
	const root = "../.."
	text, err := os.ReadFile(root + "/docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\| (.+) \| (.*) \|$`).FindAllStringSubmatch(string(text), -1)
	if len(lines) < 2 {
		t.Fatal("the table is gone")
	}
	for _, line := range lines[1:] {
		test := strings.Trim(line[2], "`")
		dir, name, isFunction := strings.Cut(test, ": ")
		if !isFunction {
			if _, err := os.Stat(filepath.Join(root, test)); err != nil {
				t.Errorf("%q: %v", line[1], err)
			}
			continue
		}
		if !declared(t, filepath.Join(root, dir), name) {
			t.Errorf("%q: no func %s in %s", line[1], name, dir)
		}
	}
}

// declared reports whether the tests in dir have a function of this name.
func declared(t *testing.T, dir, name string) bool {
	files, err := filepath.Glob(dir + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
