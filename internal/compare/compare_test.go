package compare

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every exchange, against the host's kernel and against the profile linux.
func TestExchanges(t *testing.T) {
	exchanges, known, err := ReadDir(Builtin())
	if err != nil {
		t.Fatal(err)
	}
	results, err := Compare(t.Context(), Config{Exchanges: exchanges, Known: known})
	if err != nil {
		t.Fatalf("these tests need root: %v", err)
	}
	for i := range results {
		if !results[i].Unexplained() {
			continue
		}
		var text strings.Builder
		if err := WriteText(&text, results[i:i+1], false); err != nil {
			t.Fatal(err)
		}
		t.Error(text.String())
	}
}
