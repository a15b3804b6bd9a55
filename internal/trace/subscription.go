package trace

import (
	"context"
	"sync"

	"tcplab/internal/bell"
)

const minSnaplen = 64

// MaxBytes is how much the packets that wait for a reader may hold, however
// large they are, unless Recorder.MaxBytes says otherwise.
const MaxBytes = 64 << 20

// Subscription is a reader's queue of packets.
type Subscription struct {
	recorder *Recorder
	snaplen  int
	maxBytes int
	ready    bell.Bell // a packet or the end has come

	mu     sync.Mutex // guards the following
	ring   []*Packet
	first  int // of ring, the oldest packet
	length int
	bytes  int    // of the packets in ring
	lost   uint64 // since the last packet that was taken
	ended  bool
}

// push appends p. Where there is no room, the oldest packets are lost.
func (s *Subscription) push(p *Packet) {
	s.mu.Lock()
	if s.ended {
		p.Release()
	} else {
		for s.length == len(s.ring) || s.length > 0 && s.bytes+len(p.buffer.bytes) > s.maxBytes {
			s.shiftLocked().Release()
			s.lost++
		}
		s.ring[(s.first+s.length)%len(s.ring)] = p
		s.length++
		s.bytes += len(p.buffer.bytes)
	}
	s.mu.Unlock()
	s.ready.Ring()
}

// shiftLocked takes the oldest packet out of the ring.
func (s *Subscription) shiftLocked() *Packet {
	p := s.ring[s.first]
	s.ring[s.first] = nil
	s.first = (s.first + 1) % len(s.ring)
	s.length--
	s.bytes -= len(p.buffer.bytes)
	return p
}

// Next waits for the next packet and takes it. The error is io.EOF when the
// subscription has ended and nothing is left, or that of ctx.
func (s *Subscription) Next(ctx context.Context) (Packet, error) {
	return bell.Next(ctx, s.ready, s.take)
}

// take takes the oldest packet, if there is one.
func (s *Subscription) take() (p Packet, ok, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.length == 0 {
		return Packet{}, false, s.ended
	}
	p = *s.shiftLocked()
	p.Data = p.Data[:min(len(p.Data), s.snaplen)]
	p.Lost = s.lost
	s.lost = 0
	return p, true, false
}

// Waiting is the number of packets that Next would return without waiting.
func (s *Subscription) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.length
}

// Close ends the subscription: Next returns what is left and then io.EOF.
func (s *Subscription) Close() {
	s.recorder.remove(s)
	s.end()
}

func (s *Subscription) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.ready.Ring()
}
