package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"tcplab/internal/lab"
)

func newLab() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: "Run the classic experiments and the real outages, each checked",
		Long: `A lab makes its own network namespaces, brings an endpoint up there, drives real
clients, tells step by step what is about to happen and what was seen, checks
what it claims, and cleans up.`,
		Example: `  tcplab lab list
  sudo tcplab lab run full-queue
  sudo tcplab lab run --all --speed 10 --report report
  tcplab lab explain believes-connected`,
		Args: cobra.ArbitraryArgs,
		RunE: unknownCommand,
	}
	c.AddCommand(newLabList(), newLabRun(), newLabExplain())
	return c
}

func newLabList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the labs",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, l := range lab.All() {
				_, _ = fmt.Fprintf(table, "%s\t%s\n", l.Name, l.Title)
			}
			return table.Flush()
		},
	}
}

func newLabExplain() *cobra.Command {
	return &cobra.Command{
		Use:               "explain NAME",
		Short:             "Say what a lab teaches",
		Args:              arguments(1, "the name of a lab"),
		ValidArgsFunction: completeLabs,
		RunE: func(c *cobra.Command, args []string) error {
			l, err := lab.Lookup(args[0])
			if err != nil {
				return badUsage(c, err)
			}
			_, err = io.WriteString(c.OutOrStdout(), l.Explain())
			return err
		},
	}
}

func newLabRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run NAME...",
		Short: "Run labs",
		Long: `Runs labs, one after another. Exits with 1 if a claim does not hold, with 2 if a
program that a lab needs is missing, and with 130 if it was interrupted.`,
		Example: `  sudo tcplab lab run two-queues
  sudo tcplab lab run syn-timeout --speed 20
  sudo tcplab lab run full-queue --report report --keep`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completeLabs,
	}
	flags := c.Flags()
	flags.SortFlags = false
	o := lab.Options{Speed: 1}
	all := flags.Bool("all", false, "run all labs")
	flags.BoolVar(&o.Keep, "keep", false, "leave everything up at the end, until Ctrl-C, to look around")
	flags.Var(value[int]{&o.Speed, parseCount, "n"}, "speed", "divide the listener's timers by n")
	flags.StringVar(&o.Report, "report", "", "write a report, the packets and the events into this `folder`")
	c.RunE = func(c *cobra.Command, args []string) error {
		labs, err := chosenLabs(args, *all)
		switch {
		case err != nil:
		case o.Speed < 1 || o.Speed > lab.MaxSpeed:
			err = fmt.Errorf("--speed %d: give 1 to %d", o.Speed, lab.MaxSpeed)
		case o.Keep && len(labs) > 1:
			err = errors.New("--keep and several labs: keep one at a time")
		}
		for _, l := range labs {
			if err == nil {
				err = l.Missing()
			}
		}
		if err != nil {
			return badUsage(c, err)
		}
		return runLabs(c, labs, o)
	}
	return c
}

// runLabs runs labs and goes on where a claim does not hold.
func runLabs(c *cobra.Command, labs []*lab.Lab, o lab.Options) error {
	ctx, stop := untilSignal(c.Context())
	defer stop()
	o.Out = c.OutOrStdout()
	var failed []string
	for i, l := range labs {
		if i > 0 {
			if _, err := fmt.Fprintln(o.Out); err != nil {
				return err
			}
		}
		err := lab.Run(ctx, l, o)
		switch {
		case err != nil && ctx.Err() != nil:
			return interrupted(ctx, "lab "+l.Name, err)
		case len(labs) > 1 && errors.As(err, new(*lab.ClaimError)):
			failed = append(failed, l.Name)
		case err != nil:
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d labs claim what did not hold: %s", len(failed), len(labs), strings.Join(failed, ", "))
	}
	return nil
}

func chosenLabs(names []string, all bool) ([]*lab.Lab, error) {
	switch {
	case all && len(names) > 0:
		return nil, errors.New("--all and names of labs: give one or the other")
	case all:
		return lab.All(), nil
	case len(names) == 0:
		return nil, errors.New("no lab given: give its name, or --all; tcplab lab list has them")
	}
	var labs []*lab.Lab
	for _, name := range names {
		l, err := lab.Lookup(name)
		if err != nil {
			return nil, err
		}
		labs = append(labs, l)
	}
	return labs, nil
}

func completeLabs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, l := range lab.All() {
		names = append(names, l.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
