package watch

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"tcplab/internal/endpoint"
	"tcplab/listener/backlog"
)

// strip is a row of slots: incomplete entries from the left, completed ones from
// the right, where accept takes them. One of the queues may have no part in it.
type strip struct {
	slots       int // how many there are; backlog.Unbounded if nobody counts
	incomplete  int // entries of each queue
	completed   int
	retransmits []int // of the first incomplete entries
	boxes       bool  // three lines with borders where there is room, not one
}

// slotWidth is the width of a slot in a box, its left border included.
const slotWidth = 3

// lines draws the strip within width. Each slot is a box if they fit; if not, a
// cell of a bar; and if those do not fit either, a cell stands for several slots,
// which note says.
func (s *strip) lines(width int) (lines []string, note string) {
	slots := s.slots
	if slots == backlog.Unbounded {
		slots = s.incomplete + s.completed + 1 // there is always room
	}
	slots = max(slots, 1)
	incompleteSlots, completedSlots := s.share(slots)
	if s.boxes && slots*slotWidth+1 <= width {
		return s.boxed(slots, incompleteSlots, completedSlots), ""
	}
	cells, each := slots, 1
	if inner := width - 2; cells > inner {
		each = (slots + inner - 1) / inner
		cells = (slots + each - 1) / each
		note = faint.Render(fmt.Sprintf("a cell is %d slots", each))
	}
	i, c := cellsFor(incompleteSlots, slots, cells, each), cellsFor(completedSlots, slots, cells, each)
	if free := slots - incompleteSlots - completedSlots; free > 0 && i+c >= cells { // never looks full when it is not
		if i > c {
			i = cells - 1 - c
		} else {
			c = cells - 1 - i
		}
	}
	line := "│" + incomplete.Render(strings.Repeat("░", i)) + faint.Render(strings.Repeat("·", max(cells-i-c, 0))) +
		completed.Render(strings.Repeat("█", c)) + "│"
	return []string{line}, note
}

// share is how many slots each queue's entries take. When there are more entries
// than slots, after the limit was made smaller, each queue has its part of them.
func (s *strip) share(slots int) (incomplete, completed int) {
	all := s.incomplete + s.completed
	switch {
	case s.slots == 0:
		return 0, 0
	case all <= slots:
		return s.incomplete, s.completed
	case s.completed == 0:
		return slots, 0
	}
	incomplete = slots * s.incomplete / all
	if incomplete == 0 && s.incomplete > 0 && slots > 1 {
		incomplete = 1
	}
	return incomplete, slots - incomplete
}

// cellsFor is how many cells n entries take: all only if they take all slots,
// and one at least.
func cellsFor(n, slots, cells, each int) int {
	switch {
	case n == 0:
		return 0
	case n >= slots:
		return cells
	}
	return min(max(n/each, 1), cells)
}

// boxed draws each slot as a box. In one of an incomplete entry is the number of
// its SYN-ACK's retransmissions.
func (s *strip) boxed(slots, incompleteSlots, completedSlots int) []string {
	middle := &strings.Builder{}
	for n := range slots {
		middle.WriteString("│")
		switch {
		case n < incompleteSlots:
			middle.WriteString(incomplete.Render(s.halfOpen(n)))
		case n >= slots-completedSlots:
			middle.WriteString(completed.Render("██"))
		default:
			middle.WriteString("  ")
		}
	}
	middle.WriteString("│")
	border := strings.Repeat("──X", slots-1) + "──"
	return []string{
		"┌" + strings.ReplaceAll(border, "X", "┬") + "┐",
		middle.String(),
		"└" + strings.ReplaceAll(border, "X", "┴") + "┘",
	}
}

func (s *strip) halfOpen(n int) string {
	if n >= len(s.retransmits) || s.retransmits[n] == 0 {
		return "░░"
	}
	if s.retransmits[n] > 9 {
		return fmt.Sprint(s.retransmits[n])
	}
	return fmt.Sprintf("░%d", s.retransmits[n])
}

// queues draws the way of a connection through the listener's queues within
// width: one strip where the profile bounds their sum, else two, beside each
// other or, if that is too narrow, one above the other.
func queues(l *endpoint.ListenerStatus, width int, boxes, dropping bool) []string {
	syn, end := "SYN → ", " → accept"
	if dropping {
		syn = refused.Render("SYN ✗ ")
	}
	around := lipgloss.Width(syn) + lipgloss.Width(end) + 1
	retransmits := make([]int, len(l.Incomplete.Entries))
	for n, e := range l.Incomplete.Entries {
		retransmits[n] = e.Retransmits
	}
	i, c := l.Incomplete.Length, l.Completed.Length
	if l.Capacity.Together != backlog.Unbounded {
		head := fmt.Sprintf("incomplete %d + completed %d = %s", i, c, ofText(i+c, l.Capacity.Together))
		block := column(head, &strip{l.Capacity.Together, i, c, retransmits, boxes}, width-around)
		return side(block, syn, end)
	}
	first := &strip{l.Capacity.Incomplete, i, 0, retransmits, boxes}
	second := &strip{l.Capacity.Completed, 0, c, nil, boxes}
	firstHead, secondHead := "incomplete "+ofText(i, l.Capacity.Incomplete), "completed "+ofText(c, l.Capacity.Completed)
	if width < besideWidth {
		return append(side(column(firstHead, first, width-around), syn, ""), side(column(secondHead, second, width-around), "ACK → ", end)...)
	}
	const arrow = " → "
	half := (width - around - lipgloss.Width(arrow)) / 2
	left, right := column(ansi.Truncate(firstHead, half, "…"), first, half), column(secondHead, second, half)
	height := max(len(left), len(right))
	left, right = centre(left, height), centre(right, height)
	leftWidth := maxWidth(left)
	for n := range left {
		between := strings.Repeat(" ", lipgloss.Width(arrow))
		if n == arrowLine(left) {
			between = arrow
		}
		left[n] = pad(left[n], leftWidth) + between + right[n]
	}
	return side(left, syn, end)
}

// besideWidth is the width from which on two strips stand beside each other.
const besideWidth = 76

// column is a heading above a strip.
func column(head string, s *strip, width int) []string {
	lines, note := s.lines(width)
	block := append([]string{head}, lines...)
	if note != "" && s.boxes {
		block = append(block, note)
	}
	return block
}

// centre makes a block as high as the one beside it, with a bar of one line where
// the middle of a box is.
func centre(block []string, height int) []string {
	if height == 4 && len(block) < height {
		block = slices.Insert(block, 1, "")
	}
	for len(block) < height {
		block = append(block, "")
	}
	return block
}

// arrowLine is the line of a block, a heading and a strip, that arrows point to.
func arrowLine(block []string) int { return len(block) / 2 }

// side puts what comes before and after a strip beside it.
func side(block []string, before, after string) []string {
	width := maxWidth(block[1:])
	at := arrowLine(block)
	for n, line := range block {
		left, right := strings.Repeat(" ", lipgloss.Width(before)), ""
		if n == at {
			left, line, right = before, pad(line, width), after
		}
		block[n] = " " + left + line + right
	}
	return block
}

// ofText is a length beside its limit.
func ofText(n, most int) string {
	switch {
	case most == backlog.Unbounded:
		return fmt.Sprintf("%d, no bound", n)
	case n > most:
		return fmt.Sprintf("%d of %d, %s", n, most, refused.Render(fmt.Sprintf("%d over", n-most)))
	case n == most:
		return fmt.Sprintf("%d of %d, %s", n, most, refused.Render("full"))
	}
	return fmt.Sprintf("%d of %d", n, most)
}

// pad fills a line with spaces up to width.
func pad(line string, width int) string {
	return line + strings.Repeat(" ", max(width-lipgloss.Width(line), 0))
}

func maxWidth(lines []string) int {
	width := 0
	for _, line := range lines {
		width = max(width, lipgloss.Width(line))
	}
	return width
}
