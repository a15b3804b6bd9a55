package table

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Figure 4.10, measured with clients of the kernel's: each cell that was
// published is what it was, and the host's own kernel is what the profile linux
// says.
func TestFigure410(t *testing.T) {
	var progress []int
	measured, err := Measure(t.Context(), Config{
		Profiles:   profiles.All(),
		MaxBacklog: 14,
		Progress:   func(done, _ int) { progress = append(progress, done) },
	})
	if err != nil {
		t.Fatalf("these tests need root: %v", err)
	}
	var text strings.Builder
	if err := measured.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n75 of 75 published cells equal", "equal to profile linux in 15 of 15 cells\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, &text)
		}
	}
	if n := measured.Differences(); n != 0 {
		t.Errorf("%d cells differ", n)
	}
	if all := 15 * 15; len(progress) != all || progress[all-1] != all {
		t.Errorf("progress was told %d times, the last time of %d cells; want %d", len(progress), progress[len(progress)-1], all)
	}
	for _, line := range strings.Split(text.String(), "\n") {
		if len(line) > textWidth && !strings.Contains(line, "Stevens") {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
}

func TestMeasuringEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Profiles: []*backlog.Profile{profiles.BSD}, MaxBacklog: MaxMaxBacklog}
	cfg.Progress = func(int, int) { cancel() }
	if _, err := Measure(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestLargestBacklog(t *testing.T) {
	for _, n := range []int{-1, MaxMaxBacklog + 1} {
		if _, err := Measure(t.Context(), Config{MaxBacklog: n}); err == nil || !strings.Contains(err.Error(), "give 0 to 512") {
			t.Errorf("largest backlog %d: %v", n, err)
		}
	}
}

// What differs is marked, counted and missing from the summary.
func TestDifferencesAreMarked(t *testing.T) {
	three, two := 3, 2
	table := &Table{Kernel: "Linux 6.18", Columns: []Column{
		{Name: "bsd", Cells: []Cell{{Backlog: 0, Measured: 1}, {Backlog: 1, Measured: 2, Published: &three}}},
		{Name: "linux", Cells: []Cell{{Backlog: 0, Measured: 1}, {Backlog: 1, Measured: 2, Published: &two}}},
		{Name: Host, Cells: []Cell{{Backlog: 0, Measured: 1}, {Backlog: 1, Measured: 3}}},
	}}
	table.expectHost()
	if n := table.Differences(); n != 2 {
		t.Errorf("%d differences, want 2", n)
	}
	var text strings.Builder
	if err := table.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const want = `backlog     bsd   linux    host
      0       1       1       1
      1    2/3!     2/2      3!

1 of 2 published cells equal (measured/published; Stevens, UNP vol. 1, 3rd ed., figure 4.10)
host is Linux 6.18: equal to profile linux in 1 of 2 cells
`
	if text.String() != want {
		t.Errorf("the table is\n%s\nwant\n%s", &text, want)
	}
}
