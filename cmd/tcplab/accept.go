package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
)

func newAccept() *cobra.Command {
	c := &cobra.Command{
		Use:   "accept N",
		Short: "Take N connections off the completed queue now",
		Long: `Has the application take N connections off the completed queue now, or as many
as there are, whatever the rate at which it calls accept. With --accept off, or
after "tcplab set accept=off", that is stepping through accept by hand.`,
		Example: `  tcplab set accept=off
  tcplab accept 1`,
		Args: arguments(1, "the number of connections to take"),
	}
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[0], 10, 32)
		if err != nil || n < 1 {
			return badUsage(c, fmt.Errorf("accept %s: give how many connections to take, at least 1", args[0]))
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		taken, err := client.Accept(c.Context(), int(n))
		if err != nil {
			return err
		}
		_, err = io.WriteString(c.OutOrStdout(), takenText(&taken))
		return err
	}
	return c
}

// takenText says what came of an accept.
func takenText(t *endpoint.Taken) string {
	var b strings.Builder
	for _, client := range t.Clients {
		fmt.Fprintf(&b, "accepted %v\n", client)
	}
	if unnamed := t.Taken - len(t.Clients); unnamed > 0 {
		fmt.Fprintf(&b, "accepted %d more\n", unnamed)
	}
	fmt.Fprintf(&b, "%d of %d taken, completed queue: %d\n", t.Taken, t.Asked, t.Left)
	if t.Pending > 0 {
		fmt.Fprintf(&b, "%d more will be taken as soon as a worker is free\n", t.Pending)
	}
	return b.String()
}
