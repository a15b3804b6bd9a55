package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
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
		record := NewRecord(&e)
		line, err := format(&record)
		if err != nil {
			return err
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
		if s.Waiting() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}
