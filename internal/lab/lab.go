package lab

import (
	"fmt"
	"slices"
	"strings"
)

// Lab is one lesson.
type Lab struct {
	Name  string
	Title string // in a line
	// About is what it teaches and why it matters, for "lab explain": paragraphs
	// separated by empty lines.
	About string
	// Needs are programs that it runs; most labs need none.
	Needs []Program
	// timers says that what takes the time are the listener's timers, which
	// Options.Speed makes faster. Other labs run as they are.
	timers bool
	run    func(*Scene)
}

// Program is a program that a lab runs, with the Debian package that has it.
type Program struct{ Name, Package string }

// All are the labs, in the order in which they are best taken.
func All() []*Lab { return slices.Clone(labs) }

// Lookup finds a lab by its name. The error lists the names.
func Lookup(name string) (*Lab, error) {
	var names []string
	for _, l := range labs {
		if l.Name == name {
			return l, nil
		}
		names = append(names, l.Name)
	}
	return nil, fmt.Errorf("unknown lab %q: there are %s", name, strings.Join(names, ", "))
}

// Explain is what the lab teaches, in lines for a terminal.
func (l *Lab) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", l.Name, l.Title)
	for paragraph := range strings.SplitSeq(l.About, "\n\n") {
		b.WriteString("\n" + wrap(paragraph, "", "") + "\n")
	}
	for _, p := range l.Needs {
		fmt.Fprintf(&b, "\nIt runs %s (package %s).\n", p.Name, p.Package)
	}
	return b.String()
}
