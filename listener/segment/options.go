package segment

import (
	"encoding/binary"
	"fmt"
)

// Option kinds (RFC 9293 section 3.2, RFC 7323, RFC 2018).
const (
	OptionEnd           = 0
	OptionNop           = 1
	OptionMSS           = 2
	OptionWindowScale   = 3
	OptionSACKPermitted = 4
	OptionSACK          = 5
	OptionTimestamps    = 8
)

// maxWindowScale is the largest shift count (RFC 7323 section 2.3); a larger
// one is used as if it were this.
const maxWindowScale = 14

// Options are the TCP options that take part in a handshake. Each has a Has
// field, as absence and zero differ.
type Options struct {
	MSS            uint16
	HasMSS         bool
	WindowScale    uint8
	HasWindowScale bool
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32
}

// String lists the options that are present, each after a space.
func (o Options) String() string {
	text := ""
	if o.HasMSS {
		text += fmt.Sprintf(" mss %d", o.MSS)
	}
	if o.SACKPermitted {
		text += " sackOK"
	}
	if o.HasTimestamps {
		text += fmt.Sprintf(" TS val %d ecr %d", o.TSVal, o.TSEcr)
	}
	if o.HasWindowScale {
		text += fmt.Sprintf(" wscale %d", o.WindowScale)
	}
	return text
}

// ParseOptions reads the options area of a TCP header. Options come in any
// order, unknown ones are skipped; one with an illegal length ends the area, as
// there is no telling where the next one begins (MUST-5, MUST-6, MUST-7).
// Known kinds with a length that is not theirs are skipped.
func ParseOptions(area []byte) Options {
	var o Options
	VisitOptions(area, func(kind byte, data []byte) {
		switch {
		case kind == OptionMSS && len(data) == 2:
			o.MSS, o.HasMSS = binary.BigEndian.Uint16(data), true
		case kind == OptionWindowScale && len(data) == 1:
			o.WindowScale, o.HasWindowScale = min(data[0], maxWindowScale), true
		case kind == OptionSACKPermitted && len(data) == 0:
			o.SACKPermitted = true
		case kind == OptionTimestamps && len(data) == 8:
			o.HasTimestamps = true
			o.TSVal = binary.BigEndian.Uint32(data)
			o.TSEcr = binary.BigEndian.Uint32(data[4:])
		}
	})
	return o
}

// VisitOptions calls visit with the kind and data of each well-formed option in
// a TCP header's options area. The data may be written to.
func VisitOptions(area []byte, visit func(kind byte, data []byte)) {
	for len(area) > 0 {
		switch area[0] {
		case OptionEnd:
			return
		case OptionNop:
			area = area[1:]
			continue
		}
		if len(area) < 2 || area[1] < 2 || int(area[1]) > len(area) {
			return
		}
		visit(area[0], area[2:area[1]])
		area = area[area[1]:]
	}
}

// append writes the options in the order that Linux uses (tcp_options_write),
// padded to a multiple of four bytes.
func (o Options) append(b []byte) []byte {
	if o.HasMSS {
		b = append(b, OptionMSS, 4)
		b = binary.BigEndian.AppendUint16(b, o.MSS)
	}
	switch {
	case o.HasTimestamps && o.SACKPermitted:
		b = append(b, OptionSACKPermitted, 2, OptionTimestamps, 10)
	case o.HasTimestamps:
		b = append(b, OptionNop, OptionNop, OptionTimestamps, 10)
	}
	if o.HasTimestamps {
		b = binary.BigEndian.AppendUint32(b, o.TSVal)
		b = binary.BigEndian.AppendUint32(b, o.TSEcr)
	} else if o.SACKPermitted {
		b = append(b, OptionNop, OptionNop, OptionSACKPermitted, 2)
	}
	if o.HasWindowScale {
		b = append(b, OptionNop, OptionWindowScale, 3, o.WindowScale)
	}
	return b
}
