package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
)

func newStatus() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show profile, limits, both queues entry by entry, and totals",
		Args:  noArguments,
	}
	dev := devFlag(c)
	asJSON := c.Flags().Bool("json", false, "print a JSON object instead of text")
	limit := 1000
	c.Flags().Var(value[int]{&limit, parseCount, "n"}, "limit", "list at most n entries of each queue")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		status, err := client.Status(c.Context(), limit)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), status)
		}
		_, err = io.WriteString(c.OutOrStdout(), status.Text(time.Now()))
		return err
	}
	return c
}

// printJSON prints v indented.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false) // rules have < and >
	return encoder.Encode(v)
}
