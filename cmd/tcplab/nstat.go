package main

import (
	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/counters"
	"tcplab/internal/nstat"
)

func newNstat() *cobra.Command {
	c := &cobra.Command{
		Use:   "nstat [flags] [PATTERN ...]",
		Short: "Show the endpoint's counters as nstat does the kernel's",
		Long: `Shows what the endpoint has counted since the last call, under the names that
nstat(8) prints where the kernel counts the same event, and TcpLab… where it
does not. docs/counters.md says of each what it means and what to do when it
moves.

A pattern is a name as a shell would match it, like TcpExt*; case does not
matter. What was shown last is kept for each user and instance under
XDG_CACHE_HOME, by default ~/.cache, and forgotten when the instance is started
again.`,
		Example: `  tcplab nstat
  tcplab nstat -az 'TcpExtListen*' TcpOutRsts
  watch -d tcplab nstat -as`,
		ValidArgsFunction: completeCounters,
	}
	c.Flags().SortFlags = false
	var options nstat.Options
	flags := c.Flags()
	flags.BoolVarP(&options.Absolute, "ignore", "a", false, "absolute values, whatever was shown last")
	flags.BoolVarP(&options.Zeros, "zeros", "z", false, "counters that are zero, too")
	flags.BoolVarP(&options.NoUpdate, "noupdate", "s", false, "do not count as the last call")
	flags.BoolVarP(&options.Reset, "reset", "r", false, "forget what was shown last")
	flags.BoolVarP(&options.Quiet, "nooutput", "n", false, "show nothing, but count as the last call")
	flags.BoolVarP(&options.JSON, "json", "j", false, "print a JSON object instead of text")
	flags.BoolVarP(&options.Pretty, "pretty", "p", false, "JSON over several lines")
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		options.Patterns = args
		if err := options.Check(); err != nil {
			return badUsage(c, err)
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		now, err := client.Counters(c.Context())
		if err != nil {
			return err
		}
		show := func(seen map[string]uint64) (map[string]uint64, error) {
			values, next := options.Compare(&now, seen)
			if options.Quiet {
				return next, nil
			}
			return next, options.Write(c.OutOrStdout(), now.Dev, values)
		}
		if options.Absolute && options.NoUpdate {
			_, err := show(nil)
			return err
		}
		history, err := nstat.OpenHistory(client.Name())
		if err != nil {
			return err
		}
		seen, err := history.Read(&now)
		if err != nil && !options.Reset {
			return err
		}
		next, err := show(seen)
		if err != nil || options.NoUpdate {
			return err
		}
		return history.Write(&now, next)
	}
	return c
}

// completeCounters completes names of counters.
func completeCounters(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := make([]string, len(counters.All))
	for i := range counters.All {
		names[i] = counters.All[i].Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
