package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tcplab/internal/printable"
	"tcplab/internal/userns"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // as a shell says of a command that Ctrl-C ended
)

// execute runs the command line args and returns the exit code. What the commands
// write is made printable: texts of other processes, packets and arguments are among
// it. For other bytes they write to printable.Raw.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out, errs := printable.NewWriter(stdout), printable.NewWriter(stderr)
	defer func() { _ = errors.Join(out.Flush(), errs.Flush()) }() // the exit code says enough
	return run(ctx, args, out, errs)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if background, ok := errors.AsType[*exec.ExitError](err); ok && background.Exited() {
		return background.ExitCode() // it has said why
	}
	program, ended := errors.AsType[*userns.ExitError](err)
	if ended && program.Err == nil {
		return program.Code // it has said why
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "tcplab: interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "tcplab: %v\n", err)
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(stderr, "See %s --help.\n", usage.command)
		return exitUsage
	}
	if _, ok := errors.AsType[*interruptedError](err); ok {
		return exitInterrupted
	}
	if ended {
		return program.Code
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tcplab",
		Short: "A TCP endpoint whose backlog behaves as the system's you choose",
		Long: `tcplab creates a TUN interface, puts a TCP/IP endpoint behind it and serves an
application there. The listening side of TCP is tcplab's own: it keeps the two
queues of listen(2) itself, decides on every SYN and every final ACK as the
chosen profile does, and says why.`,
		Example: `  sudo tcplab up --backlog 8
  curl http://192.0.2.2/
  tcplab status`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		RunE:                       unknownCommand,
		SuggestionsMinimumDistance: 2,
	}
	root.SetFlagErrorFunc(badFlag)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newUp(), newStatus(), newWatch(), newSS(), newNstat(), newAccept(), newSet(), newDown(), newDoctor(),
		newCapture(), newEvents(), newSyn(), newExec(), newShell(), newProfiles(), newPredict(), newTable(), newCompare(),
		newBenchmark(), newBenchWorker(), newLab(), newVersion())
	return root
}

// usageError is a command line that makes no sense.
type usageError struct {
	command string // whose help would say how to do it
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func badUsage(c *cobra.Command, err error) error {
	return &usageError{command: c.CommandPath(), err: err}
}

// badFlag says what is wrong with a flag.
func badFlag(c *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		err = fmt.Errorf("--%s %s: %w", invalid.GetFlag().Name, invalid.GetValue(), invalid.Unwrap())
	}
	return badUsage(c, err)
}

// unknownCommand says that args begin with no command, and which there are.
func unknownCommand(c *cobra.Command, args []string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	known := strings.Join(names, ", ")
	if len(args) == 0 {
		return badUsage(c, fmt.Errorf("no command given: there are %s", known))
	}
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		return badUsage(c, fmt.Errorf("unknown command %q: did you mean %s?", args[0], strings.Join(similar, " or ")))
	}
	return badUsage(c, fmt.Errorf("unknown command %q: there are %s", args[0], known))
}

// newHelp is cobra's help command, but for what it says to an unknown command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			found, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(c.Root(), args)
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// arguments wants exactly n arguments; what says which.
func arguments(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) > n:
			return badUsage(c, fmt.Errorf("unexpected argument %q: %s takes %s", args[n], c.CommandPath(), what))
		case len(args) < n:
			return badUsage(c, fmt.Errorf("argument missing: %s takes %s", c.CommandPath(), what))
		}
		return nil
	}
}

// noArguments wants flags only.
var noArguments = arguments(0, "flags only")
