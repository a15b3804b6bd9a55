package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Writer takes lines, and is flushed when no further event waits.
type Writer interface {
	io.Writer
	Flush() error
}

// Format is a line for a record, its newline included.
type Format func(*Record) ([]byte, error)

// JSON formats a record as a JSON object.
func JSON(r *Record) ([]byte, error) {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // rules have < and >
	err := encoder.Encode(r)
	return line.Bytes(), err
}

// Text formats a record as a line for people.
func Text(showServer bool) Format {
	return func(r *Record) ([]byte, error) { return append([]byte(r.Text(showServer)), '\n'), nil }
}

// Copy writes the events of s until it ends, which is no error, or until ctx
// does, or w fails.
func Copy(ctx context.Context, w Writer, s *Subscription, format Format) error {
	for {
		e, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return err
		}
		if err := write(w, &e, format); err != nil {
			return err
		}
		if s.Waiting() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

// CopyEvery is Copy for a reader that looks only now and then: it writes what
// waits, and then nothing for the time of every. With a small subscription that
// is the newest events, and little work however many there are.
func CopyEvery(ctx context.Context, w Writer, s *Subscription, format Format, every time.Duration) error {
	for {
		e, err := s.Next(ctx)
		for left := s.Waiting(); err == nil; left-- {
			if err = write(w, &e, format); err != nil || left == 0 {
				break
			}
			e, err = s.Next(ctx)
		}
		switch {
		case errors.Is(err, io.EOF):
			return w.Flush()
		case err != nil:
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Misser is a Writer that counts the events that are missing among its lines.
type Misser interface{ Missed(n uint64) }

// write writes an event as a line.
func write(w io.Writer, e *Event, format Format) error {
	if m, ok := w.(Misser); ok && e.Lost > 0 {
		m.Missed(e.Lost)
	}
	record := NewRecord(e)
	line, err := format(&record)
	if err == nil {
		_, err = w.Write(line)
	}
	return err
}
