package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/instance"
	"tcplab/internal/userns"
)

const insideText = `No root is needed: the command runs in a user and a network namespace of its
own, in which there is nothing but loopback and the endpoint's interface. Your
files and your user stay what they are; curl, ab, nmap, tcpdump and tcplab's own
commands work there. Where the system forbids it, it says what does, and how to
allow it.`

func newExec() *cobra.Command {
	c := &cobra.Command{
		Use:   "exec [flags] -- CMD [ARG...]",
		Short: "Run a command beside an endpoint, without root",
		Long: `Brings an endpoint up as "tcplab up" does, runs a command beside it, and takes
everything down when that ends. The exit code is the command's.

` + insideText,
		Example: `  tcplab exec -- curl -s http://192.0.2.2/
  tcplab exec --backlog 2 --accept off -- go test ./client
  tcplab exec -- sh -c 'tcpdump -c 3 -i tcplab0 & sleep 1; curl -s http://192.0.2.2/; wait'`,
		Args: cobra.ArbitraryArgs,
	}
	return beside(c, func(c *cobra.Command, args []string) ([]string, error) {
		if len(args) == 0 {
			return nil, badUsage(c, errors.New("no command given: give one behind --, as in tcplab exec -- curl http://192.0.2.2/"))
		}
		return args, nil
	}, func(*control.Client, io.Writer) error { return nil })
}

func newShell() *cobra.Command {
	c := &cobra.Command{
		Use:   "shell [flags]",
		Short: "Open a shell beside an endpoint, without root",
		Long: `Brings an endpoint up as "tcplab up" does, and opens your shell ($SHELL) beside
it. Leaving the shell takes everything down.

` + insideText,
		Example: `  tcplab shell --backlog 8 --accept off`,
		Args:    noArguments,
	}
	return beside(c, func(*cobra.Command, []string) ([]string, error) {
		if shell := os.Getenv("SHELL"); shell != "" {
			return []string{shell}, nil
		}
		return []string{"/bin/sh"}, nil
	}, greet)
}

// beside makes c run a program beside an endpoint. When that is up, greet is
// called.
func beside(c *cobra.Command, program func(*cobra.Command, []string) ([]string, error), greet func(*control.Client, io.Writer) error) *cobra.Command {
	flags := c.Flags()
	flags.SortFlags = false
	flags.SetInterspersed(false)
	config := endpoint.Defaults()
	addListenerFlags(c, &config)
	addAppFlags(c, &config)
	link := addLinkFlags(c, &config)
	files := addFileFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		args, err := program(c, args)
		if err != nil {
			return err
		}
		if err := link.finish(c); err != nil {
			return err
		}
		if err := files.Check(); err != nil {
			return badUsage(c, err)
		}
		room, err := userns.Inside()
		if err != nil {
			return err
		}
		if room == nil {
			return userns.Enter()
		}
		cfg := instance.Config{Config: config, Out: io.Discard, Files: *files, Notes: c.ErrOrStderr()}
		defer room.Close() // the process that waits does it, too
		return runBeside(c, room, cfg, args, greet)
	}
	return c
}

// runBeside runs an instance and a program, until the program ends.
func runBeside(c *cobra.Command, room *userns.Room, cfg instance.Config, args []string, greet func(*control.Client, io.Writer) error) error {
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	program := room.NewProgram(args, stop)
	cfg.Ready = func() error {
		client, err := control.NewClient(cfg.Dev, c.ErrOrStderr())
		if err == nil {
			err = greet(client, c.ErrOrStderr())
		}
		return errors.Join(err, program.Start(stop))
	}
	err := room.Prepare()
	if err == nil {
		err = room.Explain(instance.Run(ctx, cfg))
	}
	if err != nil {
		stop()
		if program.Running() {
			fmt.Fprintf(c.ErrOrStderr(), "tcplab: %v\n", err) // now, not when the program ends
			err = nil
		}
	}
	if end := program.End(); err == nil {
		return end
	}
	return err
}

// greet says what a shell has beside it.
func greet(client *control.Client, w io.Writer) error {
	status, err := client.Status(context.Background(), 0)
	if err != nil {
		return err
	}
	for i := range status.Listeners {
		fmt.Fprintf(w, "%s (%s, accept %s) through %s\n%s\n", status.AddrsText(i), status.App, status.Accept, status.Dev, status.Listeners[i].RuleText())
	}
	_, err = fmt.Fprintf(w, "this shell is in a network namespace of its own: try tcpdump -ni %s & and curl; exit ends it\n\n", status.Dev)
	return err
}
