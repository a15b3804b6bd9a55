package lab

import (
	"fmt"
	"strings"
	"time"

	"tcplab/listener"
	"tcplab/listener/handshake"
)

// Places in a chart, in pixels.
const (
	chartWidth  = 760
	chartHeight = 220
	chartLeft   = 44
	chartBottom = 190
	chartTop    = 16
)

// chartSVG draws the lengths of both queues over time, with a mark for each
// SYN or final ACK that was dropped.
func chartSVG(events []listener.Event) string {
	if len(events) < 2 {
		return ""
	}
	first, span := events[0].Time, events[len(events)-1].Time.Sub(events[0].Time)
	span = max(span, time.Millisecond)
	most := 1
	for i := range events {
		most = max(most, events[i].Counts.Incomplete, events[i].Counts.Completed)
	}
	x := func(t time.Time) float64 {
		return chartLeft + float64(t.Sub(first))/float64(span)*(chartWidth-chartLeft-16)
	}
	y := func(n int) float64 {
		return chartBottom - float64(n)/float64(most)*(chartBottom-chartTop)
	}
	var incomplete, completed, drops strings.Builder
	lastDrop := -10.0
	for i := range events {
		e := &events[i]
		command, at := "L", x(e.Time)
		if i == 0 {
			command = "M"
		} else { // a step: the length was what it was until now
			fmt.Fprintf(&incomplete, "L%.1f %.1f", at, y(events[i-1].Counts.Incomplete))
			fmt.Fprintf(&completed, "L%.1f %.1f", at, y(events[i-1].Counts.Completed))
		}
		fmt.Fprintf(&incomplete, "%s%.1f %.1f", command, at, y(e.Counts.Incomplete))
		fmt.Fprintf(&completed, "%s%.1f %.1f", command, at, y(e.Counts.Completed))
		if (e.Kind == handshake.SYNDropped || e.Kind == handshake.ACKDropped) && at-lastDrop > 1.5 {
			fmt.Fprintf(&drops, "M%.1f %d v8 ", at, chartBottom+3)
			lastDrop = at
		}
	}
	var grid strings.Builder
	for _, n := range []int{0, most / 2, most} {
		fmt.Fprintf(&grid, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/><text x="%d" y="%.1f" text-anchor="end" class="time">%d</text>`,
			chartLeft, chartWidth-16, y(n), y(n), chartLeft-8, y(n)+4, n)
	}
	for i := range 5 {
		d := span * time.Duration(i) / 4
		anchor := "middle"
		if i == 4 {
			anchor = "end"
		}
		fmt.Fprintf(&grid, `<text x="%.1f" y="%d" text-anchor="%s" class="time">%s</text>`, x(first.Add(d)), chartHeight-4, anchor, axis(d))
	}
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="lengths of both queues over time" class="chart">%s`+
		`<path d="%s" class="incomplete"/><path d="%s" class="completed"/><path d="%s" class="drops"/></svg>`,
		chartWidth, chartHeight, grid.String(), incomplete.String(), completed.String(), drops.String())
}
