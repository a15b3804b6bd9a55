package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Stack is what is measured.
type Stack string

// What is measured, in the order of the report.
const (
	Tcplab Stack = "tcplab"
	GVisor Stack = "gvisor" // gonet.ListenTCP over fdbased
	Kernel Stack = "kernel" // listen(2) across a veth pair
	// Bare reads packets from a device like tcplab's and drops them: no stack can
	// be faster.
	Bare Stack = "bare"
)

// Row is a figure of each stack.
type Row struct {
	Name    string              `json:"name"`
	Unit    string              `json:"unit"`
	Smaller bool                `json:"smaller_is_better"`
	Values  map[Stack]float64   `json:"values"` // the medians
	Rounds  map[Stack][]float64 `json:"rounds"` // in the order in which they were measured
	Note    string              `json:"note,omitempty"`
}

// Report is what Run has measured.
type Report struct {
	Kernel string `json:"kernel"` // uname -r
	CPUs   int    `json:"cpus"`
	Rows   []*Row `json:"rows"`
}

func (r *Row) add(s Stack, value float64) {
	r.Rounds[s] = append(r.Rounds[s], value)
	r.Values[s] = median(r.Rounds[s])
}

// Ratio is tcplab's figure by another's, NaN if one of them is missing.
func (r *Row) Ratio(to Stack) float64 {
	ours, ok := r.Values[Tcplab]
	theirs, there := r.Values[to]
	if !ok || !there || theirs == 0 {
		return math.NaN()
	}
	return ours / theirs
}

// median is the middle value; values is not changed.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// WriteText writes the report as a table.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\ttcplab\tgvisor\tkernel\tbare\tof gvisor\tof kernel\tof bare\t")
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%s, %s\t", row.Name, row.Unit)
		for _, s := range []Stack{Tcplab, GVisor, Kernel, Bare} {
			value, ok := row.Values[s]
			if !ok {
				value = math.NaN()
			}
			fmt.Fprintf(table, "%s\t", figure(value))
		}
		for _, s := range []Stack{GVisor, Kernel, Bare} {
			fmt.Fprintf(table, "%s\t", figure(row.Ratio(s)))
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // to memory
	fmt.Fprintf(&b, "\nLinux %s, %d CPUs. of …: tcplab's figure by the other's.\n", r.Kernel, r.CPUs)
	for _, row := range r.Rows {
		if row.Note != "" {
			fmt.Fprintf(&b, "%s: %s.\n", row.Name, row.Note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// figure writes three digits of a number, "-" for none.
func figure(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "-"
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
