package compare

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes what differs, both transcripts side by side, and a summary.
// With all set, it writes every exchange.
func WriteText(w io.Writer, results []Result, all bool) error {
	var text strings.Builder
	equal, known := 0, 0
	for i := range results {
		r := &results[i]
		switch {
		case r.Equal:
			equal++
		case r.Known != "":
			known++
		}
		if r.Equal && !all {
			continue
		}
		fmt.Fprintf(&text, "%s: %s\n", r.Exchange, r.About)
		if r.Known != "" {
			fmt.Fprintf(&text, "known: %s\n", r.Known)
		}
		writeSideBySide(&text, r)
		text.WriteByte('\n')
	}
	fmt.Fprintf(&text, "%d exchanges: %d equal, %d differ as known, %d differ\n",
		len(results), equal, known, len(results)-equal-known)
	_, err := io.WriteString(w, text.String())
	return err
}

func writeSideBySide(w *strings.Builder, r *Result) {
	width := len("kernel")
	for _, line := range r.Kernel {
		width = max(width, len(line))
	}
	fmt.Fprintf(w, "    %-*s | %s\n", width, "kernel", "tcplab")
	for _, row := range align(r.Kernel, r.Ours) {
		mark := " "
		if row[0] != row[1] {
			mark = "!"
		}
		fmt.Fprintf(w, "  %s %-*s | %s\n", mark, width, row[0], row[1])
	}
}

// align puts equal lines beside each other by their longest common subsequence.
func align(a, b []string) [][2]string {
	length := make([][]int, len(a)+1) // of the common subsequence of a[i:] and b[j:]
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var rows [][2]string
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			rows = append(rows, [2]string{a[i], b[j]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			rows = append(rows, [2]string{a[i], ""})
			i++
		default:
			rows = append(rows, [2]string{"", b[j]})
			j++
		}
	}
	return rows
}
