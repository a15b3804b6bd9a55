package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"tcplab/internal/capture"
	"tcplab/internal/control"
	"tcplab/internal/outfile"
	"tcplab/internal/printable"
)

func newCapture() *cobra.Command {
	c := &cobra.Command{
		Use:   "capture -w FILE|-",
		Short: "Write the packets of a running instance as pcapng, with the listener's reasons",
		Long: `Writes the packets between the host and the endpoint as pcapng. Each SYN and each
final ACK has a comment that says what the listener made of it, and why; so have
the packets that show a SYN-ACK sent again, an expiry, a promotion or an accept.
Wireshark, tshark and tcpdump read it.

Ctrl-C ends it; the instance goes on.`,
		Example: `  sudo tcplab capture -w drops.pcapng
  sudo tcplab capture -w - | wireshark -k -i -
  sudo tcplab capture -w - | tshark -r - -T fields -e frame.number -e frame.comment`,
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	to := c.Flags().StringP("write", "w", "", "`FILE` to write; - is the output, which must not be a terminal")
	count := 0
	c.Flags().VarP(value[int]{&count, parseCount, "n"}, "count", "c", "end after n packets; 0 is any number")
	snaplen := snaplenFlag(c)
	dev := devFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case *to == "":
			return badUsage(c, errors.New("no file given: give one with -w FILE, or -w - for a pipe"))
		case *to == "-" && isTerminal(c.OutOrStdout()):
			return badUsage(c, errors.New("pcapng is no text for a terminal: give a file with -w FILE, or a pipe: tcplab capture -w - | wireshark -k -i -"))
		}
		client, err := control.NewClient(*dev, c.ErrOrStderr())
		if err != nil {
			return badUsage(c, err)
		}
		ctx, stop := untilSignal(c.Context())
		defer stop()
		return receive(ctx, c, client, *to, *snaplen, uint64(count))
	}
	return c
}

// receive writes the packets of an instance to a file or to the output.
func receive(ctx context.Context, c *cobra.Command, client *control.Client, to string, snaplen int, count uint64) error {
	stream, err := client.Capture(ctx, snaplen)
	if err != nil {
		return err
	}
	defer stream.Close()
	var sink capture.Sink = capture.NewStream(printable.Raw(c.OutOrStdout()), nil)
	if to != "-" {
		file, err := capture.Create(to, outfile.Rotation{})
		if err != nil {
			return err
		}
		defer file.Close()
		sink = file
	}
	fmt.Fprintf(c.ErrOrStderr(), "capturing, snaplen %d; Ctrl-C ends it\n", snaplen)
	done := make(chan error, 1)
	go func() { done <- show(ctx, c.ErrOrStderr(), sink, stream, count) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(stuckTime):
			return errors.New("whoever reads the capture has stopped: the end of it is missing")
		}
	}
	if errors.Is(err, unix.EPIPE) {
		return nil // whoever reads the pipe has seen enough
	}
	return err
}

const (
	stuckTime    = 2 * time.Second        // for the reader of a pipe, at the end
	progressTime = 200 * time.Millisecond // between two numbers
)

// show writes a capture to sink and says on stderr how far it has come.
func show(ctx context.Context, stderr io.Writer, sink capture.Sink, stream io.Reader, count uint64) error {
	progress := newProgress(stderr, "packets")
	var shown time.Time
	totals, err := capture.Receive(ctx, sink, stream, count, func(t capture.Totals) {
		if now := time.Now(); now.Sub(shown) >= progressTime {
			progress.say(t.String())
			shown = now
		}
	})
	progress.clear()
	fmt.Fprintln(stderr, totals)
	return err
}

// isTerminal reports whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := printable.Raw(w).(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// snaplenFlag adds --snaplen.
func snaplenFlag(c *cobra.Command) *int {
	snaplen := capture.Snaplen
	c.Flags().VarP(value[int]{&snaplen, parseSnaplen, "bytes"}, "snaplen", "s", "keep the first bytes of each packet")
	return &snaplen
}

func parseSnaplen(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		n = 0
	}
	return n, capture.CheckSnaplen(n)
}
