package main

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tcplab/internal/compare"
)

func newCompare() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare",
		Short: "Play exchanges of segments against the host's kernel and against the profile linux",
		Long: `Plays scripted exchanges of TCP segments over a TUN interface against the
listener of the host's kernel and against tcplab's with the profile linux, both
in network namespaces of their own and with the same switches. Prints both
transcripts side by side where they differ: flags, numbers, options, the times
of retransmissions, what accept returns, counters. Exits with 1 if an exchange
differs and no reason is known.

The exchanges that come with tcplab are played unless --dir names a folder of
others: text files that end in .txt, which --print shows examples of. A file
KNOWN.txt beside them lists wanted differences, "name: reason" a line.`,
		Example: `  sudo tcplab compare
  sudo tcplab compare --only rst-in-window,paws --all
  tcplab compare --print --only rst-in-window`,
		Args: noArguments,
	}
	flags := c.Flags()
	flags.SortFlags = false
	var cfg compare.Config
	dir := flags.String("dir", "", "play the exchanges of this folder instead of tcplab's own")
	only := flags.StringSlice("only", nil, "play these exchanges only, separated by commas")
	all := flags.Bool("all", false, "print the exchanges that are equal, too")
	show := flags.Bool("print", false, "print the exchanges' scripts and play nothing")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		folder := compare.Builtin()
		if *dir != "" {
			folder = os.DirFS(*dir)
		}
		exchanges, known, err := compare.ReadDir(folder)
		if err != nil {
			return fmt.Errorf("reading the exchanges: %w", err)
		}
		if exchanges, err = chooseExchanges(exchanges, *only); err != nil {
			return badUsage(c, err)
		}
		if *show {
			return printExchanges(c, folder, exchanges)
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		bar := newProgress(c.ErrOrStderr(), "played")
		cfg.Exchanges, cfg.Known, cfg.Progress = exchanges, known, bar.show
		results, err := compare.Compare(ctx, cfg)
		bar.clear()
		if err != nil {
			return interrupted(ctx, "the comparison", err)
		}
		if *asJSON {
			err = printJSON(c.OutOrStdout(), results)
		} else {
			err = compare.WriteText(c.OutOrStdout(), results, *all)
		}
		unexplained := 0
		for i := range results {
			if results[i].Unexplained() {
				unexplained++
			}
		}
		if err == nil && unexplained > 0 {
			err = fmt.Errorf("%d of %d exchanges differ from the kernel's and nobody has said why", unexplained, len(results))
		}
		return err
	}
	return c
}

// chooseExchanges keeps those that are named, all if none is.
func chooseExchanges(all []*compare.Exchange, only []string) ([]*compare.Exchange, error) {
	if len(only) == 0 {
		return all, nil
	}
	var chosen []*compare.Exchange
	for _, name := range only {
		i := slices.IndexFunc(all, func(x *compare.Exchange) bool { return x.Name == name })
		if i < 0 {
			var names []string
			for _, x := range all {
				names = append(names, x.Name)
			}
			return nil, fmt.Errorf("--only %s: no such exchange: there are %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func printExchanges(c *cobra.Command, folder fs.FS, exchanges []*compare.Exchange) error {
	for i, x := range exchanges {
		text, err := fs.ReadFile(folder, x.Name+".txt")
		if err != nil {
			return err
		}
		space := "\n"
		if i == 0 {
			space = ""
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%s## %s\n%s", space, x.Name, text); err != nil {
			return err
		}
	}
	return nil
}
