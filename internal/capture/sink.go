package capture

import (
	"bufio"
	"io"
)

// Sink takes a capture, a block at a time.
type Sink interface {
	// Begin takes the header, once, before everything else.
	Begin(header []byte) error
	// Block takes a packet. It is not kept.
	Block(block []byte) error
	// Flush hands on what was taken.
	Flush() error
	// End takes the last block and hands on everything.
	End(block []byte) error
}

// Stream is a Sink that writes everything to one place.
type Stream struct {
	w     *bufio.Writer
	flush func() error
}

// NewStream makes a Stream to w. flush is called after each Flush, unless it is
// nil.
func NewStream(w io.Writer, flush func() error) *Stream {
	return &Stream{w: bufio.NewWriterSize(w, blockSize), flush: flush}
}

// Begin implements Sink.
func (s *Stream) Begin(header []byte) error {
	if _, err := s.w.Write(header); err != nil {
		return err
	}
	return s.Flush()
}

// Block implements Sink.
func (s *Stream) Block(block []byte) error {
	_, err := s.w.Write(block)
	return err
}

// Flush implements Sink.
func (s *Stream) Flush() error {
	if err := s.w.Flush(); err != nil || s.flush == nil {
		return err
	}
	return s.flush()
}

// End implements Sink.
func (s *Stream) End(block []byte) error {
	if err := s.Block(block); err != nil {
		return err
	}
	return s.Flush()
}
