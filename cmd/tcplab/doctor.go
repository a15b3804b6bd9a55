package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tcplab/internal/endpoint"
	"tcplab/tun"
)

func newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing for up on this machine, and how to mend it",
		Args:  noArguments,
	}
	config := endpoint.Defaults()
	link := addLinkFlags(c, &config)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := link.finish(c); err != nil {
			return err
		}
		problems := config.Preflight()
		if len(problems) == 0 {
			fmt.Fprintf(c.OutOrStdout(), "nothing is missing: tcplab up will work here\n")
			return nil
		}
		return report(c, problems)
	}
	return c
}

// report prints problems and fails.
func report(c *cobra.Command, problems []tun.Problem) error {
	out := c.OutOrStdout()
	for _, p := range problems {
		table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
		fmt.Fprintf(table, "%s\n\tproblem:\t%s\n\tto mend it:\t%s\n", p.What, p.Why, p.Fix)
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return fmt.Errorf("tcplab up will not work here: %d to mend, see above", len(problems))
}
