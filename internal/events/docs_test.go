package events_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tcplab/internal/events"
	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
)

// docs/events.md has every field, kind and verdict that there is, and no other.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	var fields []string
	for field := range reflect.TypeFor[events.Record]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	_, rest, _ := strings.Cut(string(page), "## Fields")
	fieldTable, kindTable, ok := strings.Cut(rest, "## Kinds")
	if !ok {
		t.Fatal("the page has no part about kinds behind that about fields")
	}
	if got := firstColumn(fieldTable); !slices.Equal(got, fields) {
		t.Errorf("fields %v, want %v", got, fields)
	}
	if got := firstColumn(kindTable); !slices.Equal(got, handshake.Kinds()) {
		t.Errorf("kinds %v, want %v", got, handshake.Kinds())
	}
	for v := backlog.Drop; v <= backlog.Forget; v++ {
		if !strings.Contains(fieldTable, "`"+v.String()+"`") {
			t.Errorf("the verdict %v is missing", v)
		}
	}
}

// firstColumn are the words in a table's first column.
func firstColumn(table string) []string {
	var words []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		words = append(words, row[1])
	}
	return words
}
