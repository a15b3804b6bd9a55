package lab

import (
	"fmt"
	"html"
	"strings"

	"tcplab/internal/trace"
	"tcplab/listener/segment"
)

// Places in a ladder, in pixels.
const (
	ladderWidth  = 760
	ladderClient = 110
	ladderServer = 420
	ladderRow    = 34
	ladderTop    = 44
)

// maxRungs is how many packets of a connection are drawn.
const maxRungs = 40

// ladderSVG draws a connection's packets as arrows between client and server,
// with what the listener made of them at the server's side. Numbers are relative
// to both initial sequence numbers.
func ladderSVG(packets []trace.Packet) string {
	shown := packets[:min(len(packets), maxRungs)]
	var body strings.Builder
	y := ladderTop + 10
	var relative numbers
	for i := range shown {
		p := &shown[i]
		label, s, ok := relative.describe(p)
		if !ok {
			continue
		}
		rung(&body, y, p.Inbound, s.Flags.Has(segment.RST), label)
		fmt.Fprintf(&body, `<text x="%d" y="%d" class="time" text-anchor="end">%s</text>`,
			ladderClient-12, y+4, html.EscapeString(since(p.Time, packets[0].Time)))
		for j := range p.Events {
			e := &p.Events[j]
			if p.Foreign(e) {
				continue
			}
			reason := e.Reason()
			if len(reason) > 58 {
				reason = reason[:57] + "…"
			}
			fmt.Fprintf(&body, `<text x="%d" y="%d" class="what %s">%s</text><text x="%d" y="%d" class="why">%s</text>`,
				ladderServer+14, y-2, e.Kind, html.EscapeString(e.Words()), ladderServer+14, y+11, html.EscapeString(reason))
			if j < len(p.Events)-1 {
				y += ladderRow - 6
			}
		}
		y += ladderRow
	}
	note := ""
	if left := len(packets) - len(shown); left > 0 {
		note = fmt.Sprintf(`<text x="%d" y="%d" class="why">and %d packets more</text>`, ladderClient+10, y+4, left)
		y += ladderRow
	}
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="segments between client and server" class="ladder">`+
		`<text x="%d" y="24" text-anchor="middle" class="end">client</text><text x="%d" y="24" text-anchor="middle" class="end">server</text>`+
		`<line x1="%d" y1="34" x2="%d" y2="%d" class="life"/><line x1="%d" y1="34" x2="%d" y2="%d" class="life"/>%s%s</svg>`,
		ladderWidth, y, ladderClient, ladderServer,
		ladderClient, ladderClient, y, ladderServer, ladderServer, y, body.String(), note)
}

// rung is one arrow. It falls a little, as time passes.
func rung(w *strings.Builder, y int, inbound, reset bool, label string) {
	from, to, head := ladderClient, ladderServer, -9
	if !inbound {
		from, to, head = ladderServer, ladderClient, 9
	}
	class := "rung"
	if reset {
		class = "rung rst"
	}
	fmt.Fprintf(w, `<line x1="%d" y1="%d" x2="%d" y2="%d" class="%s"/><path d="M%d %d l%d -5 v10 z" class="head %s"/>`+
		`<text x="%d" y="%d" text-anchor="middle" class="flags">%s</text>`,
		from, y-4, to, y+4, class, to, y+4, head, class, (ladderClient+ladderServer)/2, y-7, html.EscapeString(label))
}
