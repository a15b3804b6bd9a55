package stack_test

import (
	"testing"
	"time"

	"tcplab/listener/segment"
	"tcplab/stack"
)

// A client that opens and closes its window without an acknowledgment of anything
// new does not keep what waits for it.
func TestWindowsThatOpenAreNoProgress(t *testing.T) {
	b := newBench(t)
	b.stack.SetTimeouts(stack.ClientTimeouts{User: 300 * time.Millisecond})
	p := b.peer(4000, 1000, allOptions)
	p.connect()
	p.send(segment.ACK|segment.PSH, "now")
	conn := b.accept()
	go func() { _, _ = conn.Write(make([]byte, 1<<20)) }() // until the reset
	una := p.ack
	for window := uint16(0); ; window ^= 65000 {
		s := segment.Segment{Tuple: p.tuple, Seq: p.seq, Ack: una, Flags: segment.ACK, Window: window}
		p.tsval++
		s.Options = segment.Options{HasTimestamps: true, TSVal: p.tsval, TSEcr: p.tsecr}
		if err := b.dev.Inject(segment.AppendRequest(nil, &s)); err != nil {
			t.Fatal(err)
		}
		for {
			packet, ok := b.dev.TrySent()
			if !ok {
				break
			}
			var seg segment.Segment
			if segment.Parse(packet, &seg) == nil && seg.Tuple == p.tuple.Reverse() && seg.Flags.Has(segment.RST) {
				if n := b.stack.Counters()[stack.AbortsOnTimeout]; n != 1 {
					t.Errorf("counted %d times, want once", n)
				}
				return
			}
		}
		select {
		case <-b.ctx.Done():
			t.Fatal("the connection is not reset")
		case <-time.After(10 * time.Millisecond):
		}
	}
}
