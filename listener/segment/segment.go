// Package segment reads and writes TCP segments inside IPv4 and IPv6 packets.
//
// It is the pure wire format below the handshake: no I/O, no clock, no
// allocation while parsing. A Segment is a value; the byte slices in it point
// into the packet that was parsed and are valid as long as that packet is.
package segment

import "fmt"

// Segment is one TCP segment, its fields in host byte order.
type Segment struct {
	Tuple   Tuple
	Seq     uint32 // SEG.SEQ
	Ack     uint32 // SEG.ACK, meaningful with the ACK flag
	Flags   Flags
	Window  uint16 // SEG.WND as on the wire, not scaled
	Options Options
	Payload []byte // data of the segment
	Packet  []byte // the whole IP packet that was parsed, nil for a segment built here
}

// Len is SEG.LEN of RFC 9293: the sequence numbers that the segment occupies,
// data plus one for SYN and one for FIN.
func (s *Segment) Len() uint32 {
	n := uint32(len(s.Payload))
	if s.Flags.Has(SYN) {
		n++
	}
	if s.Flags.Has(FIN) {
		n++
	}
	return n
}

// String describes the segment as tcpdump would, with absolute numbers.
func (s *Segment) String() string {
	text := fmt.Sprintf("%v > %v [%v] seq %d", s.Tuple.Client(), s.Tuple.Server(), s.Flags, s.Seq)
	if s.Flags.Has(ACK) {
		text += fmt.Sprintf(" ack %d", s.Ack)
	}
	return text + fmt.Sprintf(" win %d len %d%v", s.Window, len(s.Payload), s.Options)
}

// Flags are the control bits of a segment (RFC 9293 section 3.1).
type Flags uint8

// The control bits, by their place in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Has reports whether all bits of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// Any reports whether at least one bit of want is set.
func (f Flags) Any(want Flags) bool { return f&want != 0 }

// String names the set flags as in "SYN|ACK".
func (f Flags) String() string {
	names := [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}
	text := ""
	for i, name := range names {
		if f&(1<<i) == 0 {
			continue
		}
		if text != "" {
			text += "|"
		}
		text += name
	}
	if text == "" {
		return "none"
	}
	return text
}

// Before reports whether sequence number a precedes b, modulo 2^32
// (RFC 9293 section 3.4).
func Before(a, b uint32) bool { return int32(a-b) < 0 }

// After reports whether sequence number a follows b, modulo 2^32.
func After(a, b uint32) bool { return int32(a-b) > 0 }

// InWindow reports whether a segment of length n at seq is acceptable to a
// receiver that expects next and offers window (RFC 9293 section 3.10.7.4,
// the table of four cases).
func InWindow(seq, n, next, window uint32) bool {
	if n == 0 && window == 0 {
		return seq == next
	}
	if window == 0 {
		return false
	}
	if n == 0 {
		return seq-next < window
	}
	return seq-next < window || seq+n-1-next < window
}
