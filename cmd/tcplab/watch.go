package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"

	"tcplab/internal/control"
	"tcplab/internal/printable"
	"tcplab/internal/watch"
)

func newWatch() *cobra.Command {
	c := &cobra.Command{
		Use:   "watch",
		Short: "Watch both queues fill and drain, and turn the knobs",
		Long: `Shows a running instance on the terminal: both queues as slots with who is in
them, the rule in words, the last events with their reasons, and rates. Keys
change the backlog and the profile, pause accept and step through it; ? lists
them. Quitting leaves the instance as it is.

With --once it prints what happened in one interval, in a pipe too, and ends.`,
		Example: `  sudo tcplab watch
  sudo tcplab watch --once --interval 2s`,
		Args: noArguments,
	}
	dev := devFlag(c)
	interval := 250 * time.Millisecond
	c.Flags().Var(value[time.Duration]{&interval, parseInterval, "time"}, "interval", "how often to look at the instance")
	once := c.Flags().Bool("once", false, "print one frame and end")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		cfg := watch.Config{Dev: *dev, Source: client, Interval: interval}
		if *once {
			width, height, plain := frameSize(c.OutOrStdout())
			frame, err := watch.Once(ctx, cfg, width, height)
			if err != nil {
				return err
			}
			return printFrame(c.OutOrStdout(), frame, plain)
		}
		out, ok := printable.Raw(c.OutOrStdout()).(*os.File)
		if !ok || !term.IsTerminal(out.Fd()) || !term.IsTerminal(os.Stdin.Fd()) {
			return badUsage(c, errors.New("watch draws on a terminal, and here is none: use --once for a single frame, or tcplab status"))
		}
		return watch.Run(ctx, cfg, os.Stdin, out)
	}
	return c
}

func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 50*time.Millisecond || d > 10*time.Second {
		return 0, errors.New("give a time from 50ms to 10s")
	}
	return d, nil
}

// frameSize is how large a frame on w is to be, and whether without colours and
// everything else that a terminal understands.
func frameSize(w io.Writer) (width, height int, plain bool) {
	f, ok := printable.Raw(w).(*os.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return 80, 24, true
	}
	width, height, err := term.GetSize(f.Fd())
	if err != nil || width == 0 || height == 0 { // a serial line does not say
		width, height = 80, 24
	}
	return width, height - 1, os.Getenv("NO_COLOR") != "" // the prompt comes below it
}

// printFrame prints a frame as the terminal can show it. The texts in it are printable
// already, and the rest is escape sequences of ours.
func printFrame(w io.Writer, frame string, plain bool) error {
	if plain {
		frame = ansi.Strip(frame)
		lines := strings.Split(frame, "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		frame = strings.Join(lines, "\n")
	}
	_, err := io.WriteString(colorprofile.NewWriter(printable.Raw(w), os.Environ()), frame+"\n")
	return err
}
