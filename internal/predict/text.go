package predict

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"tcplab/listener/handshake"
)

// WriteText writes the result as a table, neighbours with the same fate in one
// row.
func (r *Result) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s, backlog %d: %s\n", r.Profile, r.Backlog, r.Rule)
	fmt.Fprintf(w, "most in the queues: incomplete %d, completed %d; after %v: incomplete %d, completed %d\n\n",
		r.Peak.Incomplete, r.Peak.Completed, r.Watched.Round(time.Millisecond), r.End.Incomplete, r.End.Completed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLIENT\tFIRST SYN\tCLIENT'S VIEW\tSERVER HAS\tWHY")
	for first := 0; first < len(r.Clients); {
		last := first
		for last+1 < len(r.Clients) && sameFate(&r.Clients[first], &r.Clients[last+1]) {
			last++
		}
		who := fmt.Sprint(first + 1)
		if last > first {
			who += fmt.Sprintf("-%d", last+1)
		}
		f := &r.Clients[first]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", who, synWords[f.SYN], f.viewWords(), f.Server, f.Reason)
		first = last + 1
	}
	return table.Flush()
}

var synWords = map[handshake.Kind]string{
	handshake.SYNAdmitted: "admitted", handshake.SYNDropped: "dropped", handshake.CookieSent: "cookie",
}

// sameFate ignores what always differs: lengths in the words of an admission.
func sameFate(a, b *Fate) bool {
	return a.SYN == b.SYN && a.viewWords() == b.viewWords() && a.Server == b.Server &&
		(a.SYN == handshake.SYNAdmitted || a.Reason == b.Reason)
}

// viewWords is what the client sees: "ESTABLISHED", "ESTABLISHED after 3s",
// "SYN again at 1s, 3s, 7s: ETIMEDOUT".
func (f *Fate) viewWords() string {
	text := string(f.View)
	if f.View == Established && f.Server != Completed && f.Server != Accepted && f.Server != Parked {
		text += ", wrongly"
	}
	if f.Connected > 0 {
		return fmt.Sprintf("%s after %v, %d SYNs", text, f.Connected, f.SYNs)
	}
	if f.Connected == 0 {
		return text
	}
	return fmt.Sprintf("%s after %d SYNs", text, f.SYNs)
}
