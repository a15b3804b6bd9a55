package tunfault

import (
	"bytes"
	"encoding/binary"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// frame is a packet and what is said about it; nothing on a device without
// offload.
type frame struct {
	header offload.Header
	packet []byte
}

// arrived is what comes of f at the end of a line. A packet that was damaged has
// the checksum that it had on the wire, so that the damage shows, and nothing is
// said about it any more: whoever gets it has to verify it. To others nothing
// happened.
func (f *frame) arrived(d Delivery) frame {
	if f.header == (offload.Header{}) || bytes.Equal(d.Packet, f.packet) {
		return frame{f.header, d.Packet}
	}
	start := int(f.header.ChecksumStart)
	at := start + int(f.header.ChecksumOffset)
	if f.header.Flags.Has(offload.NeedsChecksum) && at+2 <= len(f.packet) {
		// What was damaged stays so: the whole checksum differs from the unfinished
		// one by these bits.
		change := segment.ChecksumOf(f.packet[start:]) ^ binary.BigEndian.Uint16(f.packet[at:])
		if at+2 <= len(d.Packet) {
			binary.BigEndian.PutUint16(d.Packet[at:], binary.BigEndian.Uint16(d.Packet[at:])^change)
		}
	}
	return frame{packet: d.Packet}
}
