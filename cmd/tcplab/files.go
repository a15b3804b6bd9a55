package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"tcplab/internal/capture"
	"tcplab/internal/instance"
	"tcplab/internal/outfile"
)

// What files are bounded to by default, so that nothing that clients do fills the
// disk: with the full files that are kept, 5 GB of packets and 500 MB of events.
const (
	captureSize = 1_000_000_000
	eventsSize  = 100_000_000
	keepFull    = 4
)

// addFileFlags adds the flags for what "up" writes beside its output.
func addFileFlags(c *cobra.Command) *instance.Files {
	files := &instance.Files{
		Snaplen:      capture.Snaplen,
		CaptureFiles: outfile.Rotation{Size: captureSize, Keep: keepFull, Optional: true},
		EventsFiles:  outfile.Rotation{Size: eventsSize, Keep: keepFull, Optional: true},
	}
	flags := c.Flags()
	flags.StringVar(&files.Capture, "capture", "", "write the packets to `FILE` as pcapng, with the listener's reasons as comments")
	flags.Var(value[int]{&files.Snaplen, parseSnaplen, "bytes"}, "snaplen", "keep the first bytes of each packet in the capture")
	addRotationFlags(c, "capture", &files.CaptureFiles)
	flags.StringVar(&files.Events, "events", "", "write the events to `FILE` as JSON objects, one a line")
	addRotationFlags(c, "events", &files.EventsFiles)
	return files
}

// addRotationFlags adds the flags for the files of what.
func addRotationFlags(c *cobra.Command, what string, rotate *outfile.Rotation) {
	flags := c.Flags()
	flags.Var(size{rotate}, what+"-size", "size, like 100MB, at which FILE becomes FILE.1 and a new one is begun; 0 is never")
	flags.Var(value[int]{&rotate.Keep, parseKeep, "n"}, what+"-keep", "how many full files are kept beside FILE")
}

// size is a flag for the size of files, like 100MB. Who gives it wants it: it is
// not optional then.
type size struct{ rotate *outfile.Rotation }

func (s size) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	given := outfile.Rotation{Size: int64(n), Keep: s.rotate.Keep}
	if err != nil || n > math.MaxInt64 {
		given.Size = 1 // too little
	}
	if err := given.Check(); err != nil {
		return err
	}
	*s.rotate = given
	return nil
}

func (s size) String() string { return fmt.Sprintf("%dMB", s.rotate.Size/1e6) }
func (s size) Type() string   { return "size" }

func parseKeep(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil || n < 1 {
		return 0, errors.New("give a number, 1 or more")
	}
	return int(n), nil
}
