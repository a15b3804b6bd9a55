package main

import (
	"fmt"
	"io"
)

// progress shows how far long work has come, on a terminal only. Not safe for
// concurrent use.
type progress struct {
	w    io.Writer // nil: nobody looks
	what string
}

func newProgress(w io.Writer, what string) *progress {
	if !isTerminal(w) {
		return &progress{}
	}
	return &progress{w: w, what: what}
}

// show replaces what was shown before.
func (p *progress) show(done, all int) { p.say(fmt.Sprintf("%s %d of %d", p.what, done, all)) }

// say is show in words.
func (p *progress) say(text string) {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K"+text)
	}
}

// clear leaves an empty line.
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
