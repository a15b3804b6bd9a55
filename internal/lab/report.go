package lab

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"time"

	"tcplab/internal/capture"
	"tcplab/internal/events"
	"tcplab/internal/outfile"
	"tcplab/internal/trace"
	"tcplab/internal/version"
	"tcplab/listener"
	"tcplab/listener/segment"
)

//go:embed report.html
var reportHTML string

var reportTemplate = template.Must(template.New("report").Parse(reportHTML))

// report is what the page shows.
type report struct {
	Lab     *Lab
	Started string
	Version string // of tcplab
	Speed   int
	Items   []Item
	Claims  int
	Failed  int
	Servers []serverReport
}

// serverReport is an endpoint's part of it.
type serverReport struct {
	*ServerRecord
	Chart   template.HTML
	Ladders []ladderReport
	More    int // connections that have no ladder
	Capture string
	Events  string
}

type ladderReport struct {
	Title string
	SVG   template.HTML
}

// maxLadders is how many connections of an endpoint are drawn.
const maxLadders = 6

// writeReport writes the report of a lab into a folder: NAME.html, and for each
// endpoint its annotated packets and its events.
func writeReport(path string, l *Lab, s *Scene) (err error) {
	dir, err := outfile.MakeDir(path, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	r := report{Lab: l, Started: s.started.Format("2006-01-02 15:04:05 MST"), Version: version.String(), Speed: s.Speed(), Items: s.record.Items}
	r.Failed, r.Claims = s.record.Failed()
	for i, server := range s.record.Servers {
		base := l.Name
		if len(s.record.Servers) > 1 {
			base = fmt.Sprintf("%s-%d", l.Name, i+1)
		}
		part := serverReport{ServerRecord: server, Capture: base + ".pcapng", Events: base + ".jsonl"}
		if err := writeCapture(dir, part.Capture, server); err != nil {
			return err
		}
		if err := writeEvents(dir, part.Events, server.Events); err != nil {
			return err
		}
		part.Chart = template.HTML(chartSVG(server.Events)) //nolint:gosec // our own drawing, its texts escaped
		ports := interesting(server)
		for _, tuple := range ports[:min(len(ports), maxLadders)] {
			packets := packetsOf(server.Packets, tuple)
			part.Ladders = append(part.Ladders, ladderReport{tuple.Client().String(), template.HTML(ladderSVG(packets))}) //nolint:gosec // as above
		}
		part.More = len(ports) - len(part.Ladders)
		r.Servers = append(r.Servers, part)
	}
	var page bytes.Buffer
	if err := reportTemplate.Execute(&page, &r); err != nil {
		return err
	}
	return dir.WriteFile(l.Name+".html", page.Bytes())
}

// interesting are the connections worth a ladder: one for each way in which
// connections went first, then the others in order.
func interesting(r *ServerRecord) []segment.Tuple {
	var order []segment.Tuple
	fate := make(map[segment.Tuple]string)
	for i := range r.Events {
		e := &r.Events[i]
		if _, seen := fate[e.Tuple]; !seen {
			order = append(order, e.Tuple)
		}
		if k := e.Kind.String(); !bytes.HasSuffix([]byte(fate[e.Tuple]), []byte(k)) {
			fate[e.Tuple] += " " + k
		}
	}
	first := make(map[string]bool)
	var chosen, others []segment.Tuple
	for _, tuple := range order {
		if first[fate[tuple]] {
			others = append(others, tuple)
			continue
		}
		first[fate[tuple]] = true
		chosen = append(chosen, tuple)
	}
	return append(chosen, others...)
}

func packetsOf(packets []trace.Packet, tuple segment.Tuple) []trace.Packet {
	return slices.DeleteFunc(slices.Clone(packets), func(p trace.Packet) bool {
		of, ok := p.Tuple()
		return !ok || of != tuple
	})
}

func writeCapture(dir *outfile.Dir, name string, r *ServerRecord) error {
	encoder, err := capture.NewEncoder(capture.Info{Dev: "tcplab0", Snaplen: snaplen, Comment: r.Title + " " + r.Rule})
	if err != nil {
		return err
	}
	var section bytes.Buffer
	if err := encoder.WriteSection(&section, r.Packets); err != nil {
		return err
	}
	return dir.WriteFile(name, section.Bytes())
}

func writeEvents(dir *outfile.Dir, name string, list []listener.Event) error {
	var lines bytes.Buffer
	for i := range list {
		record := events.NewRecord(&events.Event{Event: list[i]})
		line, err := events.JSON(&record)
		if err != nil {
			return err
		}
		lines.Write(line)
	}
	return dir.WriteFile(name, lines.Bytes())
}

// Seconds is the item's time for the page.
func (i *Item) Seconds() string { return fmt.Sprintf("%.2f s", i.At.Seconds()) }

// axis is a duration as the axes of drawings have it.
func axis(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.4g s", d.Seconds())
}
