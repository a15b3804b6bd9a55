package stack

import (
	"runtime"

	"tcplab/tun/offload"
)

// Inbound handles a packet as the goroutine that reads the device does, which
// must not do so at the same time.
func (s *Stack) Inbound(packet []byte, h offload.Header) { s.inbound(packet, h) }

// Outbound sends a packet, behind offload.Size bytes of room, as netstack does.
func (s *Stack) Outbound(framed []byte, h offload.Header) { s.outbound(framed, h) }

// Sink has what would be delivered to netstack end there, and returns what
// undoes that.
func (s *Stack) Sink() (undo func()) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	dispatcher := s.link.dispatcher
	s.link.dispatcher = nil
	return func() { s.link.Attach(dispatcher) }
}

// Settle gives what packets have set off in other goroutines the time to be done:
// netstack's segment queues are empty afterwards, but for what the adopter and the
// application do with them.
func (s *Stack) Settle() {
	for range 3 {
		s.ns.Pause()
		s.ns.Resume()
		runtime.Gosched()
	}
}

// Adopting is how many connections netstack has not established yet.
func (s *Stack) Adopting() int {
	s.adopter.mu.Lock()
	defer s.adopter.mu.Unlock()
	return len(s.adopter.waiting)
}
