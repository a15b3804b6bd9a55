package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
)

func newSet() *cobra.Command {
	c := &cobra.Command{
		Use:   "set NAME=VALUE ...",
		Short: "Change settings of a running instance",
		Long: `Changes settings as a second listen(2) would: what is queued stays, and nothing
is admitted until it fits. All of them are changed, or none if one is wrong.

Names: ` + strings.Join(endpoint.SettingNames(), ", ") + `.`,
		Example: `  tcplab set backlog=16
  tcplab set accept=5/s profile=sum`,
		ValidArgsFunction: completeSettings,
	}
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		changes, err := parseChanges(args)
		if err != nil {
			return badUsage(c, err)
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		status, err := client.Set(c.Context(), changes)
		if err != nil {
			return err
		}
		for i := range status.Listeners {
			fmt.Fprintf(c.OutOrStdout(), "%s  %s; accept %s\n", status.AddrsText(i), status.Listeners[i].RuleText(), status.Accept)
		}
		return nil
	}
	return c
}

// parseChanges reads NAME=VALUE arguments and checks the values.
func parseChanges(args []string) (map[string]string, error) {
	if len(args) == 0 {
		return nil, errors.New("no setting given: give NAME=VALUE, like backlog=16")
	}
	changes := make(map[string]string)
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, fmt.Errorf("%q: give NAME=VALUE, like backlog=16", arg)
		}
		if _, twice := changes[name]; twice {
			return nil, fmt.Errorf("%s is given twice: give each setting once", name)
		}
		changes[name] = text
	}
	_, err := endpoint.Settings{}.With(changes)
	return changes, err
}
