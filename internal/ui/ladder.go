package ui

import (
	"net/netip"
	"time"

	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Ladder is what happened to a connection, step by step.
type Ladder struct {
	Summary
	ClientISN *uint32 `json:"client_isn"` // initial sequence numbers; null: not seen
	ServerISN *uint32 `json:"server_isn"`
	Steps     []Step  `json:"steps"` // in order
	// Omitted steps came after the first Before of Steps.
	Omitted int `json:"omitted"`
	Before  int `json:"before"`
}

// Step is a segment, or what the listener made of one or of time.
type Step struct {
	Time time.Time `json:"time"`

	// A segment.
	Flags   string `json:"flags,omitempty"` // as tcpdump has them: S, S., ., P., F., R
	Inbound bool   `json:"inbound,omitempty"`
	Seq     uint32 `json:"seq,omitempty"` // absolute
	Ack     uint32 `json:"ack,omitempty"` // absolute; meaningful with a dot in flags
	Window  uint16 `json:"window,omitempty"`
	Length  int    `json:"length,omitempty"` // of the data
	Options string `json:"options,omitempty"`
	Dropped bool   `json:"dropped,omitempty"` // the listener ignored it, as the next event says

	// An event.
	Kind   string `json:"kind,omitempty"`  // one of handshake.Kinds, "syn-dropped"
	Event  string `json:"event,omitempty"` // in words, "SYN dropped"
	Reason string `json:"reason,omitempty"`
}

// ladder is the connection for a page.
func (c *connection) ladder() Ladder {
	l := Ladder{Summary: c.summary(), Steps: make([]Step, 0, len(c.head)+len(c.tail)), Omitted: c.left, Before: len(c.head)}
	if c.hasClientISN {
		l.ClientISN = &c.clientISN
	}
	if c.hasServerISN {
		l.ServerISN = &c.serverISN
	}
	for _, steps := range [][]step{c.head, c.tail} {
		for i := range steps {
			l.Steps = append(l.Steps, steps[i].public())
		}
	}
	markDropped(l.Steps)
	return l
}

// public is the step for a page.
func (s *step) public() Step {
	if e := s.event; e != nil {
		return Step{Time: s.at, Kind: e.Kind.String(), Event: e.Words(), Reason: e.Reason()}
	}
	return Step{
		Time: s.at, Inbound: s.inbound, Flags: dumpFlags(s.flags), Seq: s.seq, Ack: s.ack,
		Window: s.window, Length: s.length, Options: s.options,
	}
}

// markDropped marks the segment before each event that says that it was dropped.
func markDropped(steps []Step) {
	for i := range steps {
		switch steps[i].Kind {
		case handshake.SYNDropped.String(), handshake.ACKDropped.String(), handshake.ACKForgotten.String():
		default:
			continue
		}
		for j := i - 1; j >= 0 && steps[j].Kind == ""; j-- {
			if steps[j].Inbound {
				steps[j].Dropped = true
				break
			}
		}
	}
}

// letters are the flags in the order in which tcpdump prints them.
var letters = []struct {
	flag   segment.Flags
	letter string
}{
	{segment.FIN, "F"}, {segment.SYN, "S"}, {segment.RST, "R"}, {segment.PSH, "P"},
	{segment.ACK, "."}, {segment.URG, "U"}, {segment.ECE, "E"}, {segment.CWR, "W"},
}

// dumpFlags are flags as tcpdump prints them.
func dumpFlags(f segment.Flags) string {
	text := ""
	for _, l := range letters {
		if f.Has(l.flag) {
			text += l.letter
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// readStep reads the TCP segment of an IP packet of which data is the beginning.
// Fragments and packets of which the TCP header is not there are none.
func readStep(data []byte, length int, inbound bool) (segment.Tuple, step, bool) {
	ip, ok := readIP(data)
	if !ok || len(data) < ip.header+tcpHeader {
		return segment.Tuple{}, step{}, false
	}
	tcp := data[ip.header:]
	offset := int(tcp[12]>>4) * 4
	if offset < tcpHeader {
		return segment.Tuple{}, step{}, false
	}
	from := netip.AddrPortFrom(ip.from, be16(tcp[0:]))
	to := netip.AddrPortFrom(ip.to, be16(tcp[2:]))
	s := step{
		inbound: inbound,
		seq:     be32(tcp[4:]),
		ack:     be32(tcp[8:]),
		flags:   segment.Flags(tcp[13]),
		window:  be16(tcp[14:]),
		length:  max(length-ip.header-offset, 0),
	}
	if s.flags.Has(segment.SYN) && len(tcp) >= offset {
		s.options = segment.ParseOptions(tcp[tcpHeader:offset]).String()
	}
	if inbound {
		return segment.NewTuple(from, to), s, true
	}
	return segment.NewTuple(to, from), s, true
}
