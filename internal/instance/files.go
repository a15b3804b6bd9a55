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
	Capture      string // a pcapng file for the packets; empty: none
	Snaplen      int    // bytes of each packet in it; zero means capture.Snaplen
	CaptureFiles outfile.Rotation
	Events       string // a file for the events, as JSON lines; empty: none
	EventsFiles  outfile.Rotation
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
	case f.CaptureFiles.Check() != nil:
		return fmt.Errorf("capture size %d: %w", f.CaptureFiles.Size, f.CaptureFiles.Check())
	case f.EventsFiles.Check() != nil:
		return fmt.Errorf("events size %d: %w", f.EventsFiles.Size, f.EventsFiles.Check())
	}
	return nil
}

// fileRing is how many events wait to be written to a file. Tests change it.
var fileRing = 1 << 15

// filePatience is how long packets wait for a disk that hangs before events are
// lost.
const filePatience = 5 * time.Second

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
		return f.events(cfg, ep)
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

// settle says which file the process cannot rotate, if there is one.
func (f *files) settle() error {
	var errs []error
	for _, file := range f.open {
		note, err := file.Settle()
		errs = append(errs, err)
		f.note(nil, note)
	}
	return errors.Join(errs...)
}

func (f *files) capture(cfg *Files, ep *endpoint.Endpoint) error {
	snaplen := cfg.Snaplen
	if snaplen == 0 {
		snaplen = capture.Snaplen
	}
	file, err := capture.Create(cfg.Capture, cfg.CaptureFiles)
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

func (f *files) events(cfg *Files, ep *endpoint.Endpoint) error {
	file, err := outfile.Create("events", cfg.Events, cfg.EventsFiles)
	if err != nil {
		return err
	}
	f.open = append(f.open, file)
	subscription := ep.Record(fileRing, filePatience)
	f.write = append(f.write, func() {
		defer subscription.Close()
		err := events.Copy(context.Background(), lines{file}, subscription, events.JSON)
		text := ""
		if t := status(file); t.Removed+t.Lost > 0 {
			text = t.Text()
		}
		f.note(err, text)
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

// status is what became of the files until now.
func (f *files) status() []endpoint.FileStatus {
	var list []endpoint.FileStatus
	for _, file := range f.open {
		list = append(list, status(file))
	}
	return list
}

func status(file *outfile.File) endpoint.FileStatus {
	t := file.Totals()
	return endpoint.FileStatus{What: file.What(), Path: file.Path(), Written: t.Written, Removed: t.Removed, Lost: t.Lost}
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

// stuckTime is how long a disk may hang at the end.
const stuckTime = 20 * time.Second

// await waits for written as long as something is written.
func (f *files) await(written <-chan struct{}) {
	limit := stuckTime
	for _, file := range f.open {
		if !file.Regular() {
			limit = drainTime // somebody reads it, or does not
		}
	}
	tick := time.NewTicker(limit / 20)
	defer tick.Stop()
	for last, since := f.written(), time.Now(); time.Since(since) < limit; {
		select {
		case <-written:
			return
		case <-tick.C:
		}
		if now := f.written(); now != last {
			last, since = now, time.Now()
		}
	}
}

// written is how much was written to all files.
func (f *files) written() (sum uint64) {
	for _, file := range f.open {
		sum += file.Totals().Written
	}
	return sum
}

// end waits until everything is written, the endpoint being closed, and closes
// the files. A FIFO whose reader has stopped does not keep it waiting for long, nor
// does a disk that hangs for ever.
// It returns what went wrong, which has been told already.
func (f *files) end() error {
	written := make(chan struct{})
	go func() {
		f.writers.Wait()
		close(written)
	}()
	f.await(written)
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
