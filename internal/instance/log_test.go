package instance

import (
	"log/slog"
	"strings"
	"testing"
)

// A client that causes lines, with what it likes in them, causes few, on a line
// each; how many more there were is said.
func TestLoggerIsBounded(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var out strings.Builder
		logger := newLogger(&out, asJSON)
		std := slog.NewLogLogger(logger.With("of", "http").Handler(), slog.LevelWarn) // as net/http logs
		const hostile = "\x1b[2J\nlevel=ERROR msg=forged"
		for range 5000 {
			std.Print(hostile)
			logger.Warn("netstack: " + hostile)
		}
		logger.Handler().(limited).limit.SetBurst(1 << 20) // a second later
		logger.Handler().(limited).limit.SetLimit(1 << 30)
		logger.Warn("the last one")
		text := out.String()
		if n := strings.Count(text, "\n"); n < logBurst || n > 1000 {
			t.Errorf("%d lines of 10,000", n)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(strings.TrimSuffix(line, "\n"), "\x1b") || strings.HasPrefix(line, "level=ERROR") {
				t.Errorf("raw: %q", line)
			}
		}
		if !strings.Contains(text, "left_out_before") {
			t.Errorf("nothing is said of those that were left out: %.300s", text)
		}
	}
}

func TestNoLogger(*testing.T) { newLogger(nil, false).Error("to nobody") }
