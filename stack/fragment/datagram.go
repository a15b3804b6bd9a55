package fragment

import (
	"bytes"
	"encoding/binary"
	"slices"

	"tcplab/listener/segment"
)

// add puts a part in its place. It returns false if the part contradicts what is
// there: it overlaps another one, or the datagram has another end. The same part
// again, as a network may double it, is no contradiction.
func (d *datagram) add(p part, more bool) bool {
	switch {
	case !more && d.total >= 0 && d.total != p.end(), d.total >= 0 && p.end() > d.total:
		return false
	case !more && len(d.parts) > 0 && d.parts[len(d.parts)-1].end() > p.end():
		return false
	}
	i, there := slices.BinarySearchFunc(d.parts, p.offset, func(q part, offset int) int { return q.offset - offset })
	if there {
		return bytes.Equal(d.parts[i].data, p.data) && (!more == (d.total == p.end()))
	}
	if i > 0 && d.parts[i-1].end() > p.offset || i < len(d.parts) && p.end() > d.parts[i].offset {
		return false
	}
	p.data = bytes.Clone(p.data) // the reader uses its buffer again
	d.parts = slices.Insert(d.parts, i, p)
	d.have += len(p.data)
	if !more {
		d.total = p.end()
	}
	return true
}

// packet is the whole datagram under the header of its first fragment, nil if it
// is longer than IPv4 can say: the others' headers may have been shorter.
func (d *datagram) packet() []byte {
	if len(d.header)+d.total > maxPacket {
		return nil
	}
	packet := make([]byte, 0, len(d.header)+d.total)
	packet = append(packet, d.header...)
	for _, p := range d.parts {
		packet = append(packet, p.data...)
	}
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	binary.BigEndian.PutUint32(packet[4:], uint32(d.key.id)<<16) // no fragment
	binary.BigEndian.PutUint16(packet[10:], 0)
	binary.BigEndian.PutUint16(packet[10:], segment.ChecksumOf(packet[:len(d.header)]))
	return packet
}
