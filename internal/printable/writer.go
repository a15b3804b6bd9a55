package printable

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Writer writes what it is given as Text. It is safe for concurrent use.
type Writer struct {
	w io.Writer

	mu   sync.Mutex // guards the following
	rest []byte     // the beginning of a character whose end has not come yet
}

// NewWriter makes a Writer in front of w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Raw is what a Writer writes to, and w itself if it is none: for what is no text,
// and for the program's own escape sequences.
func Raw(w io.Writer) io.Writer {
	if p, ok := w.(*Writer); ok {
		return p.w
	}
	return w
}

// Write implements io.Writer. The length that it returns is that of p: of less only
// if an error says so.
func (p *Writer) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rest) == 0 && plain(text) {
		return p.w.Write(text)
	}
	text, n := append(p.rest, text...), len(text)
	whole := len(text) - unfinished(text)
	p.rest = bytes.Clone(text[whole:])
	// The end of a line as Windows and HTTP have it moves the cursor nowhere else.
	lines := strings.Split(string(text[:whole]), "\r\n")
	for i := range lines {
		lines[i] = Text(lines[i])
	}
	if _, err := io.WriteString(p.w, strings.Join(lines, "\r\n")); err != nil {
		return 0, err
	}
	return n, nil
}

// Flush writes the beginning of a character whose end does not come.
func (p *Writer) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := io.WriteString(p.w, Text(string(p.rest)))
	p.rest = nil
	return err
}

// plain reports whether text has nothing but graphic ASCII, tabs and ends of lines.
func plain(text []byte) bool {
	for _, c := range text {
		if c != '\n' && c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// unfinished is how many bytes at the end of text begin what may be a character or
// the end of a line.
func unfinished(text []byte) int {
	if n := len(text); n > 0 && text[n-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
