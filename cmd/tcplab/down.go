package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
)

func newDown() *cobra.Command {
	c := &cobra.Command{
		Use:   "down",
		Short: "End a running instance and wait until its interface is gone",
		Args:  noArguments,
	}
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		stopped, err := client.Down(c.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "%s is down: %s\n", *dev, endpoint.TotalsText(stopped.Totals))
		if stopped.Error != "" {
			return errors.New(stopped.Error)
		}
		return nil
	}
	return c
}
