package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/ss"
)

func newSS() *cobra.Command {
	c := &cobra.Command{
		Use:   "ss [flags] [state NAME] [exclude NAME]",
		Short: "Show the endpoint's sockets as ss does the kernel's",
		Long: `Shows the endpoint's sockets with the columns of ss(8). Of a listening socket
Recv-Q is the length of the completed queue and Send-Q the effective backlog; of
a connection, the bytes that the application has not read and those that the
client has not acknowledged. Connections that wait for accept are ESTAB,
half-open entries SYN-RECV.

Without -l and -a it shows connections in all states but TIME-WAIT. Half-open
entries are among them, which ss(8) shows with -a only.`,
		Example: `  tcplab ss -ltn
  tcplab ss -tan
  tcplab ss -o state syn-recv`,
		ValidArgsFunction: completeStates,
	}
	c.Flags().SortFlags = false
	var filter ss.Filter
	var options ss.Options
	flags := c.Flags()
	flags.BoolVarP(&filter.Listening, "listening", "l", false, "listening sockets only")
	flags.BoolVarP(&filter.All, "all", "a", false, "sockets in all states")
	flags.BoolP("tcp", "t", false, "TCP sockets; there are no others")
	flags.BoolP("numeric", "n", false, "numbers instead of names; there are no names")
	flags.BoolVarP(&filter.IPv4, "ipv4", "4", false, "IPv4 only")
	flags.BoolVarP(&filter.IPv6, "ipv6", "6", false, "IPv6 only")
	flags.BoolVarP(&options.Timers, "options", "o", false, "SYN-ACK timers: until they fire, and retransmissions so far")
	flags.BoolVarP(&options.NoHeader, "no-header", "H", false, "no header")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	limit := 10000
	flags.Var(value[int]{&limit, parseCount, "n"}, "limit", "list at most n half-open entries of each port and n connections, up to 100000")
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := filter.Parse(args); err != nil {
			return badUsage(c, err)
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		if filter.ListeningOnly() {
			limit = 0
		}
		list, err := client.Sockets(c.Context(), limit)
		if err != nil {
			return err
		}
		list.Sockets = filter.Select(list.Sockets)
		if *asJSON {
			return printJSON(c.OutOrStdout(), list)
		}
		if err := ss.Write(c.OutOrStdout(), list.Sockets, options); err != nil {
			return err
		}
		if more := list.MoreHalfOpen + list.MoreConnections; more > 0 && !filter.ListeningOnly() {
			fmt.Fprintf(c.ErrOrStderr(), "%d half-open entries and %d connections were left out: list more with --limit, up to 100000\n",
				list.MoreHalfOpen, list.MoreConnections)
		}
		return nil
	}
	return c
}

// completeStates completes state NAME.
func completeStates(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args)%2 == 0 {
		return []string{"state", "exclude"}, cobra.ShellCompDirectiveNoFileComp
	}
	return ss.StateNames(), cobra.ShellCompDirectiveNoFileComp
}
