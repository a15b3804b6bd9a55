package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Receive writes a capture that comes as a stream, until the stream ends, count
// packets are there (0 is any number), or ctx ends, which are no errors; or until
// the sink fails. What was written ends with statistics in any case, those of the
// stream or its own. each is called with the totals now and then, unless it is
// nil.
func Receive(ctx context.Context, sink Sink, stream io.Reader, count uint64, each func(Totals)) (Totals, error) {
	r := receiver{sink: sink, started: time.Now()}
	scanner := NewScanner(stream)
	for !r.ended {
		block, err := scanner.Next()
		switch {
		case ctx.Err() != nil || errors.Is(err, io.EOF):
			err = r.end()
		case err != nil:
			err = errors.Join(fmt.Errorf("the capture was cut off: %w", err), r.end())
		default:
			err = r.block(block)
		}
		if err == nil && !r.ended && count > 0 && r.Packets >= count {
			err = r.end()
		}
		if err == nil && !r.ended && !scanner.Buffered() {
			err = sink.Flush()
			if each != nil {
				each(r.Totals)
			}
		}
		if err != nil {
			return r.Totals, err
		}
	}
	return r.Totals, nil
}

// receiver is a capture that is being received.
type receiver struct {
	Totals
	sink    Sink
	started time.Time
	header  []byte
	begun   bool // the header was complete
	ended   bool
}

func (r *receiver) block(block Block) error {
	switch block.kind() {
	case sectionHeader:
		r.header = append([]byte(nil), block...)
		return nil
	case interfaceDescription:
		r.header = append(r.header, block...)
		r.begun = true
		return r.sink.Begin(r.header)
	case interfaceStatistics:
		r.ended = true
		return r.sink.End(block)
	case enhancedPacket:
		r.Packets++
		r.Lost += block.lost()
	}
	return r.sink.Block(block)
}

// end ends what was begun.
func (r *receiver) end() error {
	r.ended = true
	if !r.begun {
		return nil
	}
	return r.sink.End(statistics(r.Totals, r.started))
}
