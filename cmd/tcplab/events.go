package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tcplab/internal/control"
	"tcplab/internal/events"
	"tcplab/listener/handshake"
)

func newEvents() *cobra.Command {
	c := &cobra.Command{
		Use:   "events",
		Short: "Show what happened to connections of a running instance, and why",
		Long: `Shows the last events that the instance has kept, each with its reason and the
lengths of both queues, and ends; with --follow it goes on with those that come.

Kinds: ` + strings.Join(handshake.Kinds(), ", ") + `.`,
		Example: `  tcplab events
  tcplab events --follow --kind syn-dropped,ack-dropped
  tcplab events --json | jq -r .kind | sort | uniq -c`,
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	follow := c.Flags().BoolP("follow", "f", false, "go on with the events that come, until Ctrl-C or the instance ends")
	asJSON := c.Flags().Bool("json", false, "print JSON objects, one a line, instead of text")
	var kinds string
	c.Flags().Var(value[string]{&kinds, parseKinds, "kind,…"}, "kind", "show these kinds only")
	dev := devFlag(c)
	complete(c, "kind", handshake.Kinds()...)
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		status, err := client.Status(ctx, 0)
		if err != nil {
			return err
		}
		format := events.Text(len(status.Listeners) > 1)
		if *asJSON {
			format = events.JSON
		}
		err = client.Recent(ctx, kinds, *follow, func(r *events.Record) error {
			line, err := format(r)
			if err == nil {
				_, err = c.OutOrStdout().Write(line)
			}
			return err
		})
		if errors.Is(err, context.Canceled) || errors.Is(err, unix.EPIPE) {
			return nil // Ctrl-C, or whoever reads the pipe has seen enough
		}
		return err
	}
	return c
}

// parseKinds reads kinds of events.
func parseKinds(text string) (string, error) {
	if text == "" {
		return "", errors.New("give kinds, separated by commas, like syn-dropped,expired")
	}
	_, err := events.ParseKinds(text)
	return text, err
}
