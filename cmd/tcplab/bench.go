package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	benchmark "tcplab/internal/bench"
)

// benchWorker is the hidden command of the benchmark's processes.
const benchWorker = "bench-worker"

func newBenchmark() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure tcplab against gVisor's own listener and the host's kernel",
		Long: `Plays the same loads, in network namespaces of their own, against tcplab,
gVisor's own listener (gonet.ListenTCP) and listen(2) of the host's kernel, in
turns, and prints the median of the rounds with ratios. It takes two minutes or
three, with --quick some 20 seconds. What else the machine does at the time, the
ratios bear better than the figures.`,
		Example: `  sudo tcplab bench
  sudo tcplab bench --quick
  sudo tcplab bench --json > bench.json`,
		Args: noArguments,
	}
	flags := c.Flags()
	flags.SortFlags = false
	quick := flags.Bool("quick", false, "one round of short loads: for a look, not for comparisons")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		program, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding this program, to start it again: %w", err)
		}
		cfg := benchmark.Config{Worker: []string{program, benchWorker}}
		if *quick {
			cfg = cfg.Quick()
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		bar := newProgress(c.ErrOrStderr(), "")
		cfg.Progress = bar.say
		report, err := benchmark.Run(ctx, cfg)
		bar.clear()
		if err != nil {
			return interrupted(ctx, "the benchmark", err)
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), report)
		}
		return report.WriteText(c.OutOrStdout())
	}
	return c
}

// newBenchWorker is what the benchmark starts: nobody else does.
func newBenchWorker() *cobra.Command {
	return &cobra.Command{
		Use:    benchWorker + " order",
		Hidden: true,
		Args:   arguments(1, "an order of tcplab bench"),
		RunE: func(c *cobra.Command, args []string) error {
			return benchmark.Work(args[0], os.Stdin, c.OutOrStdout())
		},
	}
}
