package endpoint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Text is the status for people: what runs, both queues of each port entry by
// entry, and the totals.
func (s *Status) Text(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s, process %d, up %v\n", s.Dev, s.LinksText(), s.LinkText(), s.PID, now.Sub(s.Started).Round(time.Second))
	fmt.Fprintf(&b, "%s, accept %s, workers %s, work %v; tcplab %s\n", s.App, s.Accept, workersText(s.Workers), time.Duration(s.WorkUS)*time.Microsecond, s.Version)
	for i := range s.Listeners {
		fmt.Fprintf(&b, "\n%s  %s\n", s.AddrsText(i), s.Listeners[i].RuleText())
		s.Listeners[i].text(&b)
	}
	fmt.Fprintf(&b, "\ntotals: %s\n", TotalsText(s.Totals))
	if s.Interface != nil && s.Interface.TxDropped > 0 {
		fmt.Fprintf(&b, "%d packets of the host's were lost before they could be read (tx_dropped of %s)\n", s.Interface.TxDropped, s.Dev)
	}
	for i := range s.Files {
		if f := &s.Files[i]; f.Removed+f.Lost > 0 {
			fmt.Fprintln(&b, f.Text())
		}
	}
	for _, note := range slices.Concat(s.Changed, s.Ended) {
		fmt.Fprintln(&b, note)
	}
	s.Sandbox.text(&b)
	return b.String()
}

// LinkText says how large packets are.
func (s *Status) LinkText() string {
	text := fmt.Sprintf("mtu %d", s.MTU)
	if s.Offload {
		text += " with offload"
	}
	return text
}

// LinksText is both ends of each link: "192.0.2.2 (host 192.0.2.1/24)".
func (s *Status) LinksText() string {
	texts := make([]string, len(s.Links))
	for i, link := range s.Links {
		texts[i] = fmt.Sprintf("%v (host %v)", link.Addr, link.Host)
	}
	return strings.Join(texts, ", ")
}

// AddrsText is where listener number i listens: "192.0.2.2:80".
func (s *Status) AddrsText(i int) string {
	texts := make([]string, len(s.Links))
	for n, link := range s.Links {
		texts[n] = netip.AddrPortFrom(link.Addr, s.Listeners[i].Addr.Port()).String()
	}
	return strings.Join(texts, ", ")
}

func (l *ListenerStatus) text(b *strings.Builder) {
	fmt.Fprintf(b, "incomplete %d, completed %d; backlog %d, effective %d, somaxconn %d; syn-timeout %s, synack-retries %s\n",
		l.Incomplete.Length, l.Completed.Length, l.Backlog, l.Effective, l.Somaxconn, l.SYNTimeout, l.SYNACKRetries)
	if len(l.Incomplete.Entries)+len(l.Completed.Entries) > 0 {
		table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "QUEUE\tCLIENT\tSTATE\tAGE\tRETRANSMISSIONS")
		l.Incomplete.text(table, "incomplete")
		l.Completed.text(table, "completed")
		_ = table.Flush() // to memory
	}
	l.Incomplete.more(b, "incomplete")
	l.Completed.more(b, "completed")
}

func (q *QueueStatus) text(table *tabwriter.Writer, name string) {
	for _, e := range q.Entries {
		fmt.Fprintf(table, "%s\t%v\t%s\t%v\t%d\n", name, e.Client, e.State, ageText(e.AgeUS), e.Retransmits)
	}
}

// more says how many entries of a long queue were left out.
func (q *QueueStatus) more(b *strings.Builder, name string) {
	if left := q.Length - len(q.Entries); left > 0 {
		fmt.Fprintf(b, "and %d more in the %s queue\n", left, name)
	}
}

// RuleText is what the profile makes of the backlog: "bsd: incomplete +
// completed <= 13, that is 3*8/2+1".
func (l *ListenerStatus) RuleText() string { return l.Profile + ": " + l.Rule }

// Text says how much is missing in a file.
func (f *FileStatus) Text() string {
	return fmt.Sprintf("%s to %s: %d written, %d of them in full files that rotation removed, %d lost", f.What, f.Path, f.Written, f.Removed, f.Lost)
}

// ageText is an age as precise as somebody reading it can use.
func ageText(us int64) time.Duration {
	age := time.Duration(us) * time.Microsecond
	if age < time.Second {
		return age.Round(time.Millisecond)
	}
	return age.Round(100 * time.Millisecond)
}

func workersText(n int) string {
	if n == 0 {
		return "unlimited"
	}
	return fmt.Sprint(n)
}

// TotalsText is what counters of listeners come to, in a line.
func TotalsText(counters map[string]uint64) string {
	return fmt.Sprintf("%d SYNs, %d dropped (SYNs and final ACKs), %d promoted, %d accepted, %d expired, %d reset by clients",
		counters["SYNsReceived"], counters["ListenDrops"], counters["PassiveOpens"], counters["Accepts"],
		counters["Expired"], counters["EmbryonicRsts"]+counters["ResetsQueued"])
}

// text says what the sandbox does not hold.
func (s *SandboxStatus) text(b *strings.Builder) {
	if s == nil {
		return
	}
	if !s.On {
		fmt.Fprintln(b, "sandbox: off, the process keeps the rights that it was started with (--sandbox=false)")
	}
	for _, note := range s.Missing {
		fmt.Fprintf(b, "sandbox: %s\n", note)
	}
}
