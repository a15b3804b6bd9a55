package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// progress shows how far long work has come, on a terminal only. Not safe for
// concurrent use.
type progress struct {
	w    io.Writer // nil: nobody looks
	what string
}

func newProgress(w io.Writer, what string) *progress {
	f, ok := w.(*os.File)
	if !ok {
		return &progress{}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return &progress{}
	}
	return &progress{w: w, what: what}
}

// show replaces what was shown before.
func (p *progress) show(done, all int) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d", p.what, done, all)
	}
}

// clear leaves an empty line.
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
