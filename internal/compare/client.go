package compare

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"tcplab/listener/segment"
)

// client is one letter of an exchange: what it has sent and been sent.
type client struct {
	letter byte
	tuple  segment.Tuple
	iss    uint32
	next   uint32 // SND.NXT, relative

	serverISS    uint32
	sawServer    bool   // serverISS is known
	serverNext   uint32 // RCV.NXT, absolute
	tsval        uint32 // of the next segment
	timestamps   bool   // the SYN had one
	serverTSval  uint32 // the last one
	serverTSseen bool
}

// newClient makes the client of a letter: an address, a port and an initial
// sequence number of its own.
func newClient(letter byte) *client {
	n := letter - 'a'
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 100 + n}), 40000+uint16(n))
	return &client{letter: letter, tuple: segment.NewTuple(addr, serverAddr), iss: 1_000_000 * (uint32(n) + 1)}
}

// packet makes the IP packet of a step and moves the client on.
func (c *client) packet(s *Send) ([]byte, error) {
	seq := c.next
	if s.Flags.Has(segment.SYN) {
		seq = 0
	}
	if s.Seq != nil {
		seq = *s.Seq
	}
	length := uint32(len(s.Data))
	if s.Flags.Has(segment.FIN) {
		length++
	}
	if s.Flags.Has(segment.SYN) {
		length++
	}
	if s.Seq == nil {
		c.next = max(c.next, seq+length)
	}
	if s.Flags.Has(segment.SYN) && !s.Flags.Has(segment.ACK) && s.Seq != nil && c.next == 0 {
		c.next = seq + length // a first SYN with a number of its own
	}
	seg := segment.Segment{
		Tuple: c.tuple, Seq: c.iss + seq, Flags: s.Flags, Window: s.Window, Payload: s.Data,
	}
	switch {
	case s.Ack != nil && c.sawServer:
		seg.Ack = c.serverISS + *s.Ack
	case s.Ack != nil:
		seg.Ack = *s.Ack
	case s.Flags.Has(segment.ACK) && !c.sawServer:
		return nil, fmt.Errorf("client %c has nothing to acknowledge: give ack=", c.letter)
	case s.Flags.Has(segment.ACK):
		seg.Ack = c.serverNext
	}
	return c.finish(&seg, s)
}

// finish writes the packet with the step's options.
func (c *client) finish(seg *segment.Segment, s *Send) ([]byte, error) {
	options, hasTS := c.options(s)
	if s.Flags.Has(segment.SYN) && hasTS {
		c.timestamps = true
	}
	for len(options)%4 != 0 {
		options = append(options, segment.OptionEnd)
	}
	if len(options) > 40 {
		return nil, fmt.Errorf("%d bytes of options: there is room for 40", len(options))
	}
	packet := segment.AppendRequest(nil, seg)
	const ipHeader, tcpHeader = 20, 20
	withOptions := append([]byte(nil), packet[:ipHeader+tcpHeader]...)
	withOptions = append(withOptions, options...)
	withOptions = append(withOptions, packet[ipHeader+tcpHeader:]...)
	segment.FixLengths(withOptions, len(options))
	if s.BadSum {
		withOptions[ipHeader+16] ^= 0x55
	}
	return withOptions, nil
}

// options is the step's options area, and whether it has a timestamp.
func (c *client) options(s *Send) (area []byte, hasTS bool) {
	given := s.Options
	for _, o := range given {
		hasTS = hasTS || o.Kind == segment.OptionTimestamps
	}
	if c.timestamps && !hasTS && !s.NoTS && !s.Flags.Has(segment.RST) {
		auto := Option{Kind: segment.OptionTimestamps, Data: make([]byte, 8), EcrLast: true}
		binary.BigEndian.PutUint32(auto.Data, c.tsval)
		given = append([]Option{{Kind: segment.OptionNop}, {Kind: segment.OptionNop}, auto}, given...)
		hasTS = true
	}
	for _, o := range given {
		switch o.Kind {
		case rawOption:
			area = append(area, o.Data...)
		case segment.OptionNop, segment.OptionEnd:
			area = append(area, o.Kind)
		default:
			data := append([]byte(nil), o.Data...)
			if o.Kind == segment.OptionTimestamps {
				if o.EcrLast {
					binary.BigEndian.PutUint32(data[4:], c.serverTSval)
				}
				c.tsval = binary.BigEndian.Uint32(data) + 1
			}
			area = append(area, o.Kind, byte(2+len(data)))
			area = append(area, data...)
		}
	}
	return area, hasTS
}

// received notes a segment of the server's.
func (c *client) received(s *segment.Segment) {
	if s.Flags.Has(segment.SYN | segment.ACK) {
		c.serverISS, c.sawServer = s.Seq, true
		c.serverNext = s.Seq + 1
	} else if c.sawServer && s.Seq == c.serverNext && !s.Flags.Has(segment.RST) {
		c.serverNext += s.Len()
	}
	if s.Options.HasTimestamps {
		c.serverTSval, c.serverTSseen = s.Options.TSVal, true
	}
}
