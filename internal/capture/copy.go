package capture

import (
	"context"
	"time"

	"tcplab/internal/trace"
)

const (
	// Ring is how many packets wait to be written.
	Ring = 1 << 16
	// pause is how long packets gather. To be woken for each of them would cost
	// the endpoint more than to copy it.
	pause = 10 * time.Millisecond
)

// Copy writes the packets of s until that ends or ctx does, which is no error,
// or the sink fails.
func Copy(ctx context.Context, sink Sink, s *trace.Subscription, e *Encoder) error {
	if err := sink.Begin(e.Header()); err != nil {
		return err
	}
	for {
		p, err := s.Next(ctx)
		for left := s.Waiting(); err == nil; left-- {
			if err := write(sink, e, &p); err != nil {
				return err
			}
			if left <= 0 {
				break
			}
			p, err = s.Next(ctx)
		}
		if err != nil { // the end of one or the other
			return sink.End(e.End())
		}
		if err := sink.Flush(); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// write writes a packet.
func write(sink Sink, e *Encoder, p *trace.Packet) error {
	defer p.Release()
	if f, ok := sink.(*File); ok && p.Lost > 0 {
		f.Missed(p.Lost)
	}
	block, err := e.Packet(p)
	if err != nil {
		return err
	}
	return sink.Block(block)
}
