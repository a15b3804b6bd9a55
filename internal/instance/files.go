package instance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"tcplab/internal/capture"
	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/outfile"
)

// Files are what an instance writes beside its output. What cannot be written
// any more ends; the instance goes on.
type Files struct {
	Capture  string           // a pcapng file for the packets; empty: none
	Snaplen  int              // bytes of each packet in it; zero means capture.Snaplen
	Rotation outfile.Rotation // of the capture
	Events   string           // a file for the events, as JSON lines; empty: none
}

// Check says what is wrong with f.
func (f *Files) Check() error {
	switch {
	case f.Capture == "-":
		return errors.New("capture to -: the output has the events already: give a file, or use tcplab capture -w - beside the running instance")
	case f.Events == "-":
		return errors.New("events to -: the output has the events already, with --json as JSON: give a file")
	case f.Capture != "" && f.Capture == f.Events:
		return fmt.Errorf("%s is given for the capture and for the events: give two files", f.Capture)
	case f.Snaplen != 0 && capture.CheckSnaplen(f.Snaplen) != nil:
		return fmt.Errorf("snaplen %d: %w", f.Snaplen, capture.CheckSnaplen(f.Snaplen))
	case f.Rotation.Size != 0 && f.Rotation.Size < outfile.MinSize:
		return fmt.Errorf("capture size %d: give at least %d bytes, or 0 for one file of any size", f.Rotation.Size, outfile.MinSize)
	}
	return nil
}

// fileRing is how many events wait to be written to a file.
const fileRing = 1 << 16

// files are the files of a running instance.
type files struct {
	notes   io.Writer // takes what went wrong, and what came of it
	open    []*outfile.File
	write   []func() // what is written to them, each until it ends
	writers sync.WaitGroup

	mu   sync.Mutex // guards the following, and notes
	errs []error
}

// begin opens the files. All that happens from now on will be in them, once start
// is called. After an error, end is to be called too.
func (f *files) begin(cfg *Files, ep *endpoint.Endpoint) error {
	if cfg.Capture != "" {
		if err := f.capture(cfg, ep); err != nil {
			return err
		}
	}
	if cfg.Events != "" {
		return f.events(cfg.Events, ep)
	}
	return nil
}

// start begins to write. That rotates files with the rights of the process, which
// are not to change any more.
func (f *files) start() {
	for _, write := range f.write {
		f.writers.Go(write)
	}
}

// dirs are the directories in which files are made and renamed all the time.
func (f *files) dirs() []string {
	var dirs []string
	for _, file := range f.open {
		if dir := file.Dir(); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// canRotate says which file the process cannot rotate, if there is one.
func (f *files) canRotate() error {
	var errs []error
	for _, file := range f.open {
		errs = append(errs, file.CanRotate())
	}
	return errors.Join(errs...)
}

func (f *files) capture(cfg *Files, ep *endpoint.Endpoint) error {
	snaplen := cfg.Snaplen
	if snaplen == 0 {
		snaplen = capture.Snaplen
	}
	file, err := capture.Create(cfg.Capture, cfg.Rotation)
	if err != nil {
		return err
	}
	f.open = append(f.open, file.File)
	encoder, err := capture.NewEncoder(capture.Describe(ep.Status(0), snaplen))
	if err != nil {
		return err
	}
	packets := ep.Trace(capture.Ring, snaplen)
	f.write = append(f.write, func() {
		defer packets.Close()
		err := capture.Copy(context.Background(), file, packets, encoder)
		f.note(err, fmt.Sprintf("%s: %v", cfg.Capture, encoder.Totals))
	})
	return nil
}

func (f *files) events(path string, ep *endpoint.Endpoint) error {
	file, err := outfile.Create("events", path, outfile.Rotation{})
	if err != nil {
		return err
	}
	f.open = append(f.open, file)
	subscription := ep.Subscribe(fileRing, 0)
	f.write = append(f.write, func() {
		defer subscription.Close()
		f.note(events.Copy(context.Background(), lines{file}, subscription, events.JSON), "")
	})
	return nil
}

// note tells what came of a file: what went wrong, if anything did.
func (f *files) note(err error, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.errs = append(f.errs, err)
		text = err.Error()
	}
	if text != "" && f.notes != nil {
		fmt.Fprintf(f.notes, "tcplab: %s\n", text)
	}
}

// faults are what went wrong so far.
func (f *files) faults() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var texts []string
	for _, err := range f.errs {
		texts = append(texts, err.Error())
	}
	return texts
}

// end waits until everything is written, the endpoint being closed, and closes
// the files. A FIFO whose reader has stopped does not keep it waiting for long.
// It returns what went wrong, which has been told already.
func (f *files) end() error {
	written := make(chan struct{})
	go func() {
		f.writers.Wait()
		close(written)
	}()
	select {
	case <-written:
	case <-time.After(drainTime):
	}
	for _, file := range f.open {
		if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			f.note(err, "")
		}
	}
	<-written
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.errs...)
}
