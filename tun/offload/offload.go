// Package offload is the header that stands in front of each packet of a TUN
// interface with IFF_VNET_HDR: struct virtio_net_hdr of linux/virtio_net.h. With
// it a TCP segment may be as large as an IP packet can be, to be cut into ones
// of the MTU's size where a link needs that, and its checksum may be left to
// whoever needs it.
//
// It is pure: no I/O, no allocation. What a header says is believed only after
// Check.
package offload

import (
	"encoding/binary"
	"errors"
)

// Size is the length of an encoded header in bytes.
const Size = 10

// MaxPacket is the longest packet that a header stands in front of: an IPv6
// header and a payload of 65,535 bytes.
const MaxPacket = 40 + 1<<16 - 1

// Header is struct virtio_net_hdr. The zero value says nothing: a packet within
// the MTU whose checksum is complete and has to be verified.
type Header struct {
	Flags          Flags
	GSOType        GSOType
	HeaderLen      uint16 // bytes of all headers of a large segment; a hint
	GSOSize        uint16 // bytes of data in each segment that a large one is cut into
	ChecksumStart  uint16 // where the bytes begin that the checksum is over
	ChecksumOffset uint16 // where it lies, from there
}

// Flags are what a header says about the checksum of a TCP or UDP packet.
type Flags uint8

const (
	// NeedsChecksum says that the checksum field holds the sum of the pseudo header alone.
	NeedsChecksum Flags = 1
	// ChecksumValid says that the checksum is right, as somebody before has verified.
	ChecksumValid Flags = 2
)

// Has reports whether all bits of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// GSOType says what a large segment is to be cut into.
type GSOType uint8

// The kinds of large segments that TUNSETOFFLOAD asks for here.
const (
	GSONone  GSOType = 0
	GSOTCPv4 GSOType = 1
	GSOTCPv6 GSOType = 4
)

// Decode reads a header in the machine's byte order, which is what a TUN
// interface uses unless told otherwise. b has at least Size bytes.
func Decode(b []byte) Header {
	_ = b[Size-1]
	return Header{
		Flags:          Flags(b[0]),
		GSOType:        GSOType(b[1]),
		HeaderLen:      binary.NativeEndian.Uint16(b[2:]),
		GSOSize:        binary.NativeEndian.Uint16(b[4:]),
		ChecksumStart:  binary.NativeEndian.Uint16(b[6:]),
		ChecksumOffset: binary.NativeEndian.Uint16(b[8:]),
	}
}

// Encode writes the header to b, which has at least Size bytes.
func (h Header) Encode(b []byte) {
	_ = b[Size-1]
	b[0], b[1] = byte(h.Flags), byte(h.GSOType)
	binary.NativeEndian.PutUint16(b[2:], h.HeaderLen)
	binary.NativeEndian.PutUint16(b[4:], h.GSOSize)
	binary.NativeEndian.PutUint16(b[6:], h.ChecksumStart)
	binary.NativeEndian.PutUint16(b[8:], h.ChecksumOffset)
}

// ErrMalformed means that a header does not fit its packet.
var ErrMalformed = errors.New("the offload header does not fit the packet")

// Offsets of the checksum in a TCP and in a UDP header, and their protocol
// numbers.
const (
	protocolTCP, tcpChecksum = 6, 16
	protocolUDP, udpChecksum = 17, 6
)

// Check says whether the header can be true of an IP packet of this version and
// length whose payload is of this protocol and begins at start: the checksum is
// that of the protocol, and a large segment is TCP.
func (h *Header) Check(version int, protocol uint8, start, length int) error {
	if h.Flags&^(NeedsChecksum|ChecksumValid) != 0 {
		return ErrMalformed
	}
	if h.Flags.Has(NeedsChecksum) {
		fits := int(h.ChecksumStart) == start && start+int(h.ChecksumOffset)+2 <= length
		switch protocol {
		case protocolTCP:
			fits = fits && h.ChecksumOffset == tcpChecksum
		case protocolUDP:
			fits = fits && h.ChecksumOffset == udpChecksum
		default:
			fits = false
		}
		if !fits {
			return ErrMalformed
		}
	}
	switch h.GSOType {
	case GSONone:
		return nil
	case GSOTCPv4:
		if version == 4 && protocol == protocolTCP && h.GSOSize > 0 {
			return nil
		}
	case GSOTCPv6:
		if version == 6 && protocol == protocolTCP && h.GSOSize > 0 {
			return nil
		}
	}
	return ErrMalformed
}
