package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/syn"
)

func newSyn() *cobra.Command {
	c := &cobra.Command{
		Use:   "syn --count K",
		Short: "Send SYNs of clients that do not exist to a running instance, and to nothing else",
		Long: `Sends crafted SYNs to the instance, each from another client of TEST-NET (RFC
5737, for IPv6 2001:db8::/32), and says what came back and what the listener
counted meanwhile. Nobody answers the SYN-ACKs, so half-open entries remain;
with --complete the final ACKs are sent, and connections remain on which nothing
comes. The packets are put on the instance's interface, where tcpdump shows them,
and can leave by no other. It ends when nothing has come for the time of --wait.`,
		Example: `  sudo tcplab syn --count 20
  sudo tcplab syn --count 20 --complete
  sudo tcplab syn --count 50000 --rate 5000 --to 192.0.2.2:80`,
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	cfg := syn.Config{Wait: time.Second}
	flags := c.Flags()
	flags.Var(value[int]{&cfg.Count, parseCount, "k"}, "count", "how many SYNs")
	flags.Var(value[int]{&cfg.Rate, parseCount, "r"}, "rate", "SYNs a second; 0 is as fast as it goes")
	flags.BoolVar(&cfg.Complete, "complete", false, "send the final ACK for each SYN-ACK")
	flags.Var(value[netip.AddrPort]{&cfg.To, parseAddrPort, "address"}, "to", "where the instance listens, like 192.0.2.2:80; its first port otherwise")
	flags.Lookup("to").DefValue = ""
	flags.Var(value[time.Duration]{&cfg.Wait, parseWork, "time"}, "wait", "end when nothing has come for so long")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if cfg.Count == 0 {
			return badUsage(c, errors.New("no number of SYNs given: give one with --count"))
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		before, err := client.Status(ctx, 0)
		if err != nil {
			return err
		}
		if err := cfg.Check(&before); err != nil {
			return badUsage(c, err)
		}
		p := newProgress(c.ErrOrStderr(), "SYNs sent:")
		cfg.Progress = p.show
		result, err := syn.Run(ctx, cfg, &before)
		p.clear()
		if err != nil {
			return err
		}
		after, err := client.Status(c.Context(), 0)
		if err != nil {
			return err
		}
		counted := moved(before.Totals, after.Totals)
		if *asJSON {
			return printJSON(c.OutOrStdout(), struct {
				syn.Result
				Counters map[string]uint64 `json:"counters"`
			}{result, counted})
		}
		_, err = io.WriteString(c.OutOrStdout(), synText(&result, counted, &after))
		return err
	}
	return c
}

// moved is by how much counters have risen.
func moved(before, after map[string]uint64) map[string]uint64 {
	m := make(map[string]uint64)
	for name, n := range after {
		if n > before[name] {
			m[name] = n - before[name]
		}
	}
	return m
}

// synText says what came of SYNs.
func synText(r *syn.Result, counted map[string]uint64, after *endpoint.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d SYNs to %v: %d answered with SYN-ACK, %d not answered\n", r.Sent, r.To, r.Answered, r.Sent-r.Answered)
	for _, line := range []struct {
		n    int
		what string
	}{{r.Completed, "final ACKs sent"}, {r.Again, "SYN-ACKs sent again"}, {r.Reset, "RSTs received"}} {
		if line.n > 0 {
			fmt.Fprintf(&b, "%d %s\n", line.n, line.what)
		}
	}
	names := make([]string, 0, len(counted))
	for name, n := range counted {
		names = append(names, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "counted meanwhile: %s\n", strings.Join(names, ", "))
	for _, l := range after.Listeners {
		if l.Addr.Port() == r.To.Port() {
			fmt.Fprintf(&b, "queues now: incomplete %d, completed %d\n", l.Incomplete.Length, l.Completed.Length)
		}
	}
	return b.String()
}

func parseAddrPort(text string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddrPort(text)
	if err != nil || addr.Port() == 0 {
		return addr, errors.New("give an address and a port, like 192.0.2.2:80")
	}
	return addr, nil
}
