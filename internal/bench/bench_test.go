package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// workerWord makes this test binary a worker.
const workerWord = "bench-worker"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == workerWord {
		if err := Work(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func short(t *testing.T) Config {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces and TUN devices: run it as root, with scripts/test.sh")
	}
	return Config{
		Rounds: 1, For: 50 * time.Millisecond, HalfOpen: 1000, Entries: 300, Patience: 3 * time.Second,
		Worker: []string{os.Args[0], workerWord},
	}
}

// Everything is measured, and something is done.
func TestRun(t *testing.T) {
	report, err := Run(t.Context(), short(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Rows {
		if ours, ok := row.Values[Tcplab]; !ok || math.IsNaN(ours) || math.IsInf(ours, 0) || row.Unit != "bytes each" && !(ours > 0) || len(row.Values) < 2 && row.Name[0] > '9' {
			t.Errorf("%s: %v", row.Name, row.Values)
		}
		for stack, values := range row.Rounds {
			if len(values) != 1 {
				t.Errorf("%s of %s was measured %d times in a round", row.Name, stack, len(values))
			}
		}
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"connections, 1/s", "download, Gbit/s", "1000 half-open", "CPUs"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &text)
		}
	}
}

// An end in the middle is soon, is the context's error, and leaves nothing.
func TestRunEndsWithItsContext(t *testing.T) {
	cfg := short(t)
	cfg.For = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(what string) {
		if strings.Contains(what, loadConnections) {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
	}
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted run returns %v", err)
	}
}

func TestWorkerErrorsAreTold(t *testing.T) {
	for _, order := range []string{`{`, `{"serve":"x"}`} {
		if err := work(order, strings.NewReader(""), new(strings.Builder)); err == nil {
			t.Errorf("the order %s is no error", order)
		}
	}
}

// A worker that somebody types, where they are, floods nothing.
func TestWorkerIsStartedByRunAlone(t *testing.T) {
	order, err := json.Marshal(Order{Load: "flood", For: time.Second, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TCPLAB_AGAIN", "3")
	var out strings.Builder
	if err := Work(string(order), strings.NewReader(""), &out); err == nil || !strings.Contains(err.Error(), "run tcplab bench") || out.Len() > 0 {
		t.Errorf("%v, and it says %q", err, out.String())
	}
}

func TestMedianAndRatio(t *testing.T) {
	row := &Row{Values: map[Stack]float64{}, Rounds: map[Stack][]float64{}}
	for _, v := range []float64{5, 1, 3} {
		row.add(Tcplab, v)
	}
	row.add(Kernel, 2)
	row.add(Kernel, 4)
	if row.Values[Tcplab] != 3 || row.Values[Kernel] != 3 || row.Ratio(Kernel) != 1 {
		t.Errorf("medians %v, ratio %v", row.Values, row.Ratio(Kernel))
	}
	if !math.IsNaN(row.Ratio(GVisor)) || !math.IsNaN(median(nil)) {
		t.Error("a figure that is missing is a number")
	}
	for v, want := range map[float64]string{0.123: "0.12", 12.34: "12.3", 1234.5: "1234", math.NaN(): "-"} {
		if got := figure(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
