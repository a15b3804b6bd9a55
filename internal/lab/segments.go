package lab

import (
	"fmt"

	"tcplab/internal/trace"
	"tcplab/listener/segment"
)

// numbers makes a connection's numbers relative to both initial sequence
// numbers. The zero value is ready for use.
type numbers struct {
	base  [2]uint32 // the client's and the server's
	known [2]bool
}

// describe is a packet's segment in words: "[SYN|ACK] seq 0 ack 1". ok is false
// if it has none.
func (n *numbers) describe(p *trace.Packet) (text string, s segment.Segment, ok bool) {
	if segment.Parse(p.Data, &s) != nil {
		return "", s, false
	}
	side := 0
	if !p.Inbound {
		side = 1
	}
	if !n.known[side] && !s.Flags.Has(segment.RST) { // a closed port's RST has numbers of its own
		n.base[side], n.known[side] = s.Seq, true
	}
	text = fmt.Sprintf("[%v] seq %d", s.Flags, s.Seq-n.base[side])
	if s.Flags.Has(segment.ACK) {
		text += fmt.Sprintf(" ack %d", s.Ack-n.base[1-side])
	}
	if length := len(s.Payload); length > 0 {
		text += fmt.Sprintf(" len %d", length)
	}
	return text, s, true
}
