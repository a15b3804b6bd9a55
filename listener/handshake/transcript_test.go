package handshake_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine does into the transcripts")

// TestTranscripts runs testdata/*.txt: commands, each with what the machine has
// to make of it. A transcript is
//
//	# a comment
//
//	command key=value ...
//	----
//	the output, up to an empty line
//
// The commands stand in script_test.go. -rewrite replaces the outputs by what
// comes out now.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if !bytes.Equal(want, []byte(got)) {
				t.Errorf("%s differs (-rewrite accepts):\n%s", file, difference(string(want), got))
			}
		})
	}
}

// replay runs the commands of a transcript and returns it with their outputs.
// Its blocks are separated by empty lines: comments, or a command with its
// output.
func replay(t *testing.T, transcript string) string {
	t.Helper()
	session := newSession(t)
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(transcript), "\n\n") {
		if !strings.HasPrefix(block, "#") {
			command, _, _ := strings.Cut(block, "\n")
			block = command + "\n----\n" + session.run(command)
		}
		blocks = append(blocks, strings.TrimSpace(block))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// difference shows the first line in which two texts differ, and what leads to
// it.
func difference(want, got string) string {
	wanted, gotten := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(wanted) && i < len(gotten) && wanted[i] == gotten[i] {
		i++
	}
	excerpt := func(lines []string) string {
		return strings.Join(lines[max(0, min(i-4, len(lines))):min(i+6, len(lines))], "\n")
	}
	return "--- want\n" + excerpt(wanted) + "\n--- got\n" + excerpt(gotten)
}
