package watch

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"tcplab/internal/endpoint"
	"tcplab/internal/printable"
)

// The least screen that is drawn on.
const (
	minWidth  = 44
	minHeight = 12
)

// tallHeight is the height from which on slots are boxes and there is some air.
const tallHeight = 20

// View is the screen as it is to be drawn: height lines at most, none wider than
// width, with escape sequences for styles.
func (m *Model) View(now time.Time) string {
	if m.width < minWidth || m.height < minHeight {
		text := fmt.Sprintf("too small: %dx%d, needs %dx%d", m.width, m.height, minWidth, minHeight)
		return ansi.Truncate(text, m.width, "")
	}
	l := m.listener()
	if l == nil {
		return "waiting for the instance on " + m.dev
	}
	var lines []string
	switch m.mode {
	case helping:
		lines = append(m.head(l, now), m.help()...)
	case choosing:
		lines = append(m.head(l, now), m.menu(l)...)
	default:
		lines = append(m.head(l, now), m.body(l)...)
	}
	if !m.still {
		for len(lines) < m.height-2 {
			lines = append(lines, "")
		}
		lines = append(lines[:m.height-2], m.messageLine(now), m.keysLine())
	}
	lines = lines[:min(len(lines), m.height)]
	for i, line := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(line, m.width, "…"), " ")
	}
	return strings.Join(lines, "\n")
}

// head is who is shown, and the rule.
func (m *Model) head(l *endpoint.ListenerStatus, now time.Time) []string {
	s := m.status
	right := fmt.Sprintf("up %v ", m.at.Sub(s.Started).Truncate(time.Second))
	if len(s.Listeners) > 1 {
		right = fmt.Sprintf("port %d of %d  %s", m.port+1, len(s.Listeners), right)
	}
	title := inverse.Render(ends(fmt.Sprintf(" %s  %s at %s", s.Dev, s.App, s.AddrsText(m.port)), right, m.width))
	if m.gone != nil {
		text := fmt.Sprintf(" %s is not there since %v: this is its last state; waiting for it", s.Dev, now.Sub(m.goneFrom).Truncate(time.Second))
		title = alarm.Render(pad(ansi.Truncate(text, m.width, "…"), m.width))
	}
	limit := fmt.Sprintf("backlog %d", l.Backlog)
	if l.Effective != l.Backlog {
		limit += fmt.Sprintf(" (effective %d, somaxconn %d)", l.Effective, l.Somaxconn)
	}
	accept := "accept " + s.Accept
	if s.Accept == off {
		accept = inverse.Render(" accept paused ")
	}
	settings := fmt.Sprintf(" %s   %s   %s", strong.Render(l.Profile), strong.Render(limit), accept)
	if s.Workers > 0 {
		settings += fmt.Sprintf("   workers %d", s.Workers)
	}
	return []string{title, settings, " " + l.Rule}
}

// body is queues, lists, rates and events, as much of each as there is room for.
func (m *Model) body(l *endpoint.ListenerStatus) []string {
	tall := m.height >= tallHeight
	blocks := queues(l, m.width, tall, m.dropping())
	if tall {
		blocks = append(blocks, "")
	}
	rates := m.ratesLine()
	const fixed = 3 + 2 + 1 + 1 + 1 // head, message and keys, headings of lists and events, rates
	room := m.height - fixed - len(blocks)
	if tall {
		room -= 2
	}
	entries := max(room*4/9, 0)
	if room < 4 { // the slots have to do
		room, entries = room+1, -1
	}
	if entries >= 0 {
		blocks = append(blocks, m.lists(l, entries)...)
		if tall {
			blocks = append(blocks, "")
		}
	}
	blocks = append(blocks, rates)
	if tall {
		blocks = append(blocks, "")
	}
	return append(blocks, m.eventLines(room-max(entries, 0))...)
}

// ratesLine is three rates with their sparklines.
func (m *Model) ratesLine() string {
	const parts = 3
	width := (m.width - 2) / parts
	h := &m.history[m.port]
	now := h.rate(m.at)
	seconds := h.perSecond(width)
	part := func(name string, style lipgloss.Style, of func(rates) float64) string {
		values := make([]float64, len(seconds))
		for i, r := range seconds {
			values[i] = of(r)
		}
		text := fmt.Sprintf("%s %-7s", name, numberText(of(now)))
		return pad(text+style.Render(sparkline(values, max(width-len(text)-1, 0))), width)
	}
	return " " + part("SYN/s", incomplete, func(r rates) float64 { return r.syns }) +
		part("drops/s", refused, func(r rates) float64 { return r.drops }) +
		part("accepts/s", accepted, func(r rates) float64 { return r.accepts })
}

// numberText is a rate as precise as somebody reading it can use.
func numberText(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// messageLine is what came of a key, or what is being typed.
func (m *Model) messageLine(now time.Time) string {
	switch {
	case m.mode == typing:
		return " " + strong.Render("backlog: "+m.typed+"_") + "   Enter sets it, Esc leaves it as it is"
	case m.gone != nil:
		return " " + printable.Line(m.gone.Error())
	case m.message == "" || now.After(m.expires):
		return ""
	case m.bad:
		return " " + refused.Render(m.message)
	}
	return " " + strong.Render(m.message)
}

// keysLine is the keys that there are, fewer on a narrow screen.
func (m *Model) keysLine() string {
	pause := "pause"
	if m.status != nil && m.status.Accept == off {
		pause = "resume"
	}
	keys := []string{"q quit", "? help", "+ - backlog", "space " + pause, "a accept 1", "p profile"}
	if m.status != nil && len(m.status.Listeners) > 1 {
		keys = append(keys, "tab port")
	}
	line := ""
	for _, key := range keys {
		if lipgloss.Width(line)+3+len(key) > m.width {
			break
		}
		line += "   "[:min(len(line)+1, 3)] + key
	}
	return faint.Render(line)
}

// ends is a line with text at both its ends.
func ends(left, right string, width int) string {
	left = ansi.Truncate(left, max(width-lipgloss.Width(right)-1, 0), "…")
	return left + strings.Repeat(" ", max(width-lipgloss.Width(left)-lipgloss.Width(right), 0)) + right
}
