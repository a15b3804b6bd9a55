package table

import (
	"fmt"
	"io"
	"strings"
)

// textWidth is what a block of columns fits in.
const textWidth = 80

// WriteText writes the table in blocks that fit a terminal, the host's kernel
// last in each. A cell is measured/published, or only measured where nothing was
// published; one that is not what it should be is marked with !.
func (t *Table) WriteText(w io.Writer) error {
	host := t.column(Host)
	var block []*Column
	width := 0
	flush := func() error {
		if len(block) == 0 {
			return nil
		}
		err := writeBlock(w, append(block, host))
		block, width = nil, 0
		return err
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c == host {
			continue
		}
		if width+cellWidth(c) > textWidth-len("backlog")-cellWidth(host) {
			if err := flush(); err != nil {
				return err
			}
		}
		block = append(block, c)
		width += cellWidth(c)
	}
	if err := flush(); err != nil {
		return err
	}
	return t.writeSummary(w)
}

func cellWidth(c *Column) int { return 2 + max(len(c.Name), len("22/22!")) }

func writeBlock(w io.Writer, columns []*Column) error {
	var text strings.Builder
	text.WriteString("backlog")
	for _, c := range columns {
		fmt.Fprintf(&text, "%*s", cellWidth(c), c.Name)
	}
	text.WriteByte('\n')
	for b := range columns[0].Cells {
		fmt.Fprintf(&text, "%7d", b)
		for _, c := range columns {
			fmt.Fprintf(&text, "%*s", cellWidth(c), c.Cells[b].text())
		}
		text.WriteByte('\n')
	}
	text.WriteByte('\n')
	_, err := io.WriteString(w, text.String())
	return err
}

func (c *Cell) text() string {
	text := fmt.Sprint(c.Measured)
	if c.Published != nil {
		text += fmt.Sprintf("/%d", *c.Published)
	}
	if c.Differs() {
		text += "!"
	}
	return text
}

func (t *Table) writeSummary(w io.Writer) error {
	cells, equal := 0, 0
	var text strings.Builder
	for i := range t.Columns {
		c := &t.Columns[i]
		for b := range c.Cells {
			if c.Cells[b].Published == nil {
				continue
			}
			cells++
			if !c.Cells[b].Differs() {
				equal++
			}
		}
	}
	if cells > 0 {
		fmt.Fprintf(&text, "%d of %d published cells equal (measured/published; Stevens, UNP vol. 1, 3rd ed., figure 4.10)\n", equal, cells)
	}
	host, same := t.column(Host), 0
	for b := range host.Cells {
		if e := host.Cells[b].Expected; e != nil && *e == host.Cells[b].Measured {
			same++
		}
	}
	if t.column(hostProfile) != nil {
		fmt.Fprintf(&text, "host is %s: equal to profile %s in %d of %d cells\n", t.Kernel, hostProfile, same, len(host.Cells))
	} else {
		fmt.Fprintf(&text, "host is %s\n", t.Kernel)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
