package capture

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The block types that are looked at (draft-ietf-opsawg-pcapng section 11.1).
const (
	sectionHeader        = 0x0a0d0d0a
	interfaceDescription = 1
	interfaceStatistics  = 5
	enhancedPacket       = 6
)

const (
	byteOrderMagic = 0x1a2b3c4d
	minBlock       = 12      // type and both lengths
	maxBlock       = 4 << 20 // far more than a packet and its comments
	packetHeader   = 28      // of an Enhanced Packet Block, before the packet
	dropCount      = 4       // option epb_dropcount
)

// Scanner takes a little-endian pcapng stream apart into its blocks.
type Scanner struct {
	r     *bufio.Reader
	block []byte
}

// NewScanner makes a Scanner of r.
func NewScanner(r io.Reader) *Scanner { return &Scanner{r: bufio.NewReaderSize(r, blockSize)} }

// Buffered reports whether more of the stream has been read already.
func (s *Scanner) Buffered() bool { return s.r.Buffered() > 0 }

// Next reads the next block. It is valid until the next call. The error is
// io.EOF at the end of the stream, io.ErrUnexpectedEOF inside a block.
func (s *Scanner) Next() (Block, error) {
	head, err := s.r.Peek(8)
	if err != nil {
		if len(head) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head[4:])
	if length < minBlock || length > maxBlock || length%4 != 0 {
		return nil, fmt.Errorf("pcapng: a block of %d bytes: the stream is damaged", length)
	}
	if cap(s.block) < int(length) {
		s.block = make([]byte, max(int(length), blockSize))
	}
	block := Block(s.block[:length])
	if _, err := io.ReadFull(s.r, block); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	switch {
	case binary.LittleEndian.Uint32(block[length-4:]) != length,
		block.kind() == sectionHeader && binary.LittleEndian.Uint32(block[8:]) != byteOrderMagic:
		return nil, fmt.Errorf("pcapng: a block's lengths differ or its byte order is another: the stream is damaged")
	}
	return block, nil
}

// Block is a whole block.
type Block []byte

func (b Block) kind() uint32 { return binary.LittleEndian.Uint32(b) }

// lost is how many packets are missing before that of an Enhanced Packet Block.
func (b Block) lost() uint64 {
	if len(b) < packetHeader+4 {
		return 0
	}
	captured := int64(binary.LittleEndian.Uint32(b[20:]))
	at := packetHeader + (captured+3)&^3
	for end := int64(len(b)) - 4; at+4 <= end; {
		code, size := binary.LittleEndian.Uint16(b[at:]), int64(binary.LittleEndian.Uint16(b[at+2:]))
		if code == dropCount && size == 8 && at+12 <= end {
			return binary.LittleEndian.Uint64(b[at+4:])
		}
		at += 4 + (size+3)&^3
	}
	return 0
}
