package main

import (
	"fmt"
	"io"
	"os"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"

	"tcplab/internal/printable"
)

// progress shows how far long work has come, on a terminal only. Not safe for
// concurrent use.
type progress struct {
	f    *os.File // nil: nobody looks
	what string
}

func newProgress(w io.Writer, what string) *progress {
	if f, ok := printable.Raw(w).(*os.File); ok && isTerminal(w) {
		return &progress{f: f, what: what}
	}
	return &progress{}
}

// show replaces what was shown before.
func (p *progress) show(done, all int) { p.say(fmt.Sprintf("%s %d of %d", p.what, done, all)) }

// say is show in words. What is wider than the terminal is cut: a second line
// could not be replaced.
func (p *progress) say(text string) {
	if p.f == nil {
		return
	}
	if width, _, err := term.GetSize(p.f.Fd()); err == nil && width > 0 {
		text = ansi.Truncate(text, width-1, "")
	}
	fmt.Fprint(p.f, "\r\x1b[K"+printable.Line(text))
}

// clear leaves an empty line.
func (p *progress) clear() {
	if p.f != nil {
		fmt.Fprint(p.f, "\r\x1b[K")
	}
}
