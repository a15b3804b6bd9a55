package stack

import (
	"encoding/binary"

	"tcplab/listener/segment"
)

// translation is the constant difference between the numbers that the client
// sees and netstack's: client = netstack + difference, modulo 2^32.
type translation struct {
	seq        uint32 // of our sequence numbers
	timestamp  uint32 // of our timestamps
	timestamps bool   // whether the connection has any
}

// Offsets in a TCP header.
const (
	offSeq      = 4
	offAck      = 8
	offFlags    = 13
	offWindow   = 14
	offChecksum = 16
	offOptions  = 20
)

// outbound rewrites a TCP header of netstack's into the client's numbers and
// keeps the checksum as right or wrong as it was.
func (t *translation) outbound(header []byte, sum sum) {
	check := sum.field(header)
	add(header[offSeq:], t.seq, check, false)
	if t.timestamps && len(header) > offOptions {
		if at := findTimestamps(header); at > 0 {
			add(header[at:], t.timestamp, check, at%2 == 1)
		}
	}
}

// inbound rewrites a TCP header of the client's into netstack's numbers: ACK,
// SACK blocks (RFC 2018) and TSecr.
func (t *translation) inbound(header []byte, sum sum) {
	if !segment.Flags(header[offFlags]).Has(segment.ACK) {
		return // ACK and TSecr say nothing
	}
	check := sum.field(header)
	add(header[offAck:], -t.seq, check, false)
	if len(header) == offOptions {
		return
	}
	at := offOptions
	for at < len(header) {
		kind := header[at]
		if kind == segment.OptionEnd {
			return
		}
		if kind == segment.OptionNop {
			at++
			continue
		}
		if at+1 >= len(header) || header[at+1] < 2 || at+int(header[at+1]) > len(header) {
			return // malformed from here on: netstack stops here, too
		}
		size := int(header[at+1])
		switch {
		case kind == segment.OptionTimestamps && size == 10 && t.timestamps:
			add(header[at+6:], -t.timestamp, check, at%2 == 1)
		case kind == segment.OptionSACK && (size-2)%8 == 0:
			for edge := at + 2; edge < at+size; edge += 4 {
				add(header[edge:], -t.seq, check, at%2 == 1)
			}
		}
		at += size
	}
}

// findTimestamps is where TSval lies in a well-formed header, 0 if nowhere.
func findTimestamps(header []byte) int {
	for at := offOptions; at < len(header); {
		switch kind := header[at]; {
		case kind == segment.OptionEnd:
			return 0
		case kind == segment.OptionNop:
			at++
		case at+1 >= len(header) || header[at+1] < 2:
			return 0
		case kind == segment.OptionTimestamps && header[at+1] == 10 && at+10 <= len(header):
			return at + 2
		default:
			at += int(header[at+1])
		}
	}
	return 0
}

// add adds delta to the number at field and mends the checksum, if check is not
// nil. odd says that the field begins at an odd offset.
func add(field []byte, delta uint32, check []byte, odd bool) {
	was := binary.BigEndian.Uint32(field)
	is := was + delta
	binary.BigEndian.PutUint32(field, is)
	if check != nil {
		segment.UpdateChecksum32(check, was, is, odd)
	}
}
