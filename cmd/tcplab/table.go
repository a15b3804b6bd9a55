package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tcplab/internal/table"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

func newTable() *cobra.Command {
	c := &cobra.Command{
		Use:   "table",
		Short: "Measure figure 4.10 again: how many connections each backlog queues",
		Long: `For each profile and backlog, brings an endpoint up in a network namespace of
its own and lets clients of the host's kernel connect, one after another, until
no more get through; then the same with a listen(2) of the host's own kernel.
Prints measured/published, and exits with 1 if a cell is not what it should be.`,
		Example: `  sudo tcplab table
  sudo tcplab table --profiles bsd,linux --max-backlog 32`,
		Args: noArguments,
	}
	flags := c.Flags()
	flags.SortFlags = false
	cfg := table.Config{Profiles: profiles.All(), MaxBacklog: 14}
	flags.Var(value[[]*backlog.Profile]{&cfg.Profiles, parseProfiles, "names"}, "profiles", "which profiles, separated by commas")
	flags.Lookup("profiles").DefValue = "all"
	flags.Var(value[int]{&cfg.MaxBacklog, parseCount, "n"}, "max-backlog", "measure backlogs 0 to n")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if cfg.MaxBacklog > table.MaxMaxBacklog {
			return badUsage(c, fmt.Errorf("--max-backlog %d: give 0 to %d", cfg.MaxBacklog, table.MaxMaxBacklog))
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		bar := newProgress(c.ErrOrStderr(), "measured")
		cfg.Progress = bar.show
		t, err := table.Measure(ctx, cfg)
		bar.clear()
		if err != nil {
			return interrupted(ctx, "the table", err)
		}
		if *asJSON {
			err = printJSON(c.OutOrStdout(), t)
		} else {
			err = t.WriteText(c.OutOrStdout())
		}
		if n := t.Differences(); err == nil && n > 0 {
			err = fmt.Errorf("%d cells, marked with !, are not what they should be", n)
		}
		return err
	}
	return c
}

func parseProfiles(text string) ([]*backlog.Profile, error) {
	var list []*backlog.Profile
	for _, name := range strings.Split(text, ",") {
		p, err := profiles.Lookup(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}
