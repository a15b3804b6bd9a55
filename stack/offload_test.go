package stack_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"tcplab/listener/segment"
	"tcplab/stack"
	"tcplab/tun/offload"
	"tcplab/tun/tuntest"
)

// partial is what the kernel says of a segment whose checksum it leaves to us.
var partial = offload.Header{Flags: offload.NeedsChecksum, ChecksumStart: 20, ChecksumOffset: 16}

// unfinished is a packet with the sum of the pseudo header for a checksum.
func unfinished(s *segment.Segment) []byte {
	packet := segment.AppendRequest(nil, s)
	ip := header.IPv4(packet)
	sum := header.PseudoHeaderChecksum(tcpip.TransportProtocolNumber(segment.ProtocolTCP),
		ip.SourceAddress(), ip.DestinationAddress(), uint16(len(packet)-20))
	binary.BigEndian.PutUint16(packet[36:], sum)
	return packet
}

// host has a peer send as the kernel does through an interface with offload.
func (p *peer) host(flags segment.Flags, data []byte) {
	p.Helper()
	s := segment.Segment{Tuple: p.tuple, Seq: p.seq, Ack: p.ack, Flags: flags, Window: 65000, Payload: data}
	if flags.Has(segment.SYN) {
		s.Options = p.options
	}
	if p.options.HasTimestamps {
		s.Options.HasTimestamps, s.Options.TSVal, s.Options.TSEcr = true, p.tsval, p.tsecr
		p.tsval++
	}
	h := partial
	if len(data) > 1448 {
		h.GSOType, h.GSOSize = offload.GSOTCPv4, 1448
	}
	if err := p.dev.InjectOffload(h, unfinished(&s)); err != nil {
		p.Fatal(err)
	}
	p.seq += s.Len()
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.N(256))
	}
	return b
}

// Unfinished checksums from the SYN on, large segments in both directions, one
// of them while the connection is being adopted.
func TestOffload(t *testing.T) {
	b := benchOn(t, tuntest.NewOffload(1500))
	p := b.peer(4000, 1<<32-5, allOptions)
	p.host(segment.SYN, nil)
	synACK := p.receive(segment.SYN | segment.ACK)
	p.ack = synACK.Seq + 1
	sent := randomBytes(24000)
	p.host(segment.ACK|segment.PSH, sent[:8000])
	p.host(segment.ACK|segment.PSH, sent[8000:16000])
	conn := b.accept()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(conn, got[:16000]); err != nil {
		t.Fatal(err)
	}
	p.host(segment.ACK|segment.PSH, sent[16000:])
	if _, err := io.ReadFull(conn, got[16000:]); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what arrived is not what was sent: %v", err)
	}

	answer := randomBytes(200000)
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(answer)
		written <- err
	}()
	got, large := got[:0], 0
	for len(got) < len(answer) {
		h, packet, err := b.dev.SentOffload(b.ctx)
		if err != nil {
			t.Fatal(err)
		}
		var s segment.Segment
		if err := segment.Parse(packet, &s); err != nil {
			t.Fatalf("%+v, completed: %v", h, err)
		}
		if err := h.Check(4, segment.ProtocolTCP, 20, len(packet)); err != nil {
			t.Fatalf("%+v for %d bytes: %v", h, len(packet), err)
		}
		if len(s.Payload) == 0 {
			continue
		}
		if s.Seq != p.ack || s.Ack != p.seq {
			t.Fatalf("%v, want seq %d ack %d", &s, p.ack, p.seq)
		}
		if !h.Flags.Has(offload.NeedsChecksum) {
			t.Errorf("data with a checksum of ours: %+v", h)
		}
		switch {
		case len(s.Payload) > 1448:
			large++
			// Netstack leaves room for all SACK blocks in the ones that it is cut into.
			if h.GSOType != offload.GSOTCPv4 || h.GSOSize < 1400 || h.GSOSize > 1448 || h.HeaderLen != 52 {
				t.Errorf("%d bytes of data with %+v", len(s.Payload), h)
			}
		case h.GSOType != offload.GSONone && len(s.Payload) <= int(h.GSOSize):
			t.Errorf("%d bytes of data with %+v", len(s.Payload), h)
		}
		got = append(got, s.Payload...)
		p.ack += s.Len()
		p.tsecr = s.Options.TSVal
		p.host(segment.ACK, nil)
	}
	if err := <-written; err != nil || !bytes.Equal(got, answer) {
		t.Errorf("what arrived is not what was written: %v", err)
	}
	if large == 0 {
		t.Error("no large segment")
	}
	if c := b.stack.Counters(); c[stack.InCsumErrors] != 0 || c[stack.NetstackCsumErrors] != 0 || c[stack.InOffloadErrors] != 0 {
		t.Errorf("counters %v: want no errors", c.Map())
	}
}

// What nobody vouches for is verified, offload or not: at the listener and at an
// adopted connection.
func TestCraftedChecksumIsVerifiedUnderOffload(t *testing.T) {
	b := benchOn(t, tuntest.NewOffload(1500))
	p := b.peer(4000, 1000, allOptions)
	wrong := func(s *segment.Segment, h offload.Header) {
		packet := segment.AppendRequest(nil, s)
		packet[37] ^= 0x55
		if err := b.dev.InjectOffload(h, packet); err != nil {
			t.Fatal(err)
		}
	}
	wrong(&segment.Segment{Tuple: p.tuple, Seq: 1, Flags: segment.SYN, Window: 1000}, offload.Header{})
	// Unfinished, but of another pseudo header.
	wrong(&segment.Segment{Tuple: p.tuple, Seq: 1, Flags: segment.SYN, Window: 1000}, partial)
	b.eventually("both dropped", func() bool { return b.stack.Counters()[stack.InCsumErrors] == 2 })
	p.connect()
	p.send(segment.ACK|segment.PSH, "right")
	conn := b.accept()
	wrong(&segment.Segment{Tuple: p.tuple, Seq: p.seq, Ack: p.ack, Flags: segment.ACK | segment.PSH, Window: 1000, Payload: []byte("wrong")}, offload.Header{})
	p.send(segment.ACK|segment.PSH, ", right again")
	got := make([]byte, len("right, right again"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "right, right again" {
		t.Errorf("read %q, %v", got, err)
	}
	if n := b.stack.Counters()[stack.InCsumErrors]; n != 3 {
		t.Errorf("%d wrong checksums are counted, want 3", n)
	}
}

// A header that does not fit its packet: dropped and counted.
func TestMalformedOffloadHeaderIsDropped(t *testing.T) {
	b := benchOn(t, tuntest.NewOffload(1500))
	p := b.peer(4000, 1000, allOptions)
	syn := unfinished(&segment.Segment{Tuple: p.tuple, Seq: 1000, Flags: segment.SYN, Window: 1000})
	for i, h := range []offload.Header{
		{Flags: offload.NeedsChecksum},
		{Flags: offload.NeedsChecksum, ChecksumStart: 65535, ChecksumOffset: 65535},
		{Flags: 0x80},
		{GSOType: offload.GSOTCPv4},
		{GSOType: offload.GSOTCPv6, GSOSize: 1448},
		{GSOType: 3, GSOSize: 1448},
	} {
		if err := b.dev.InjectOffload(h, syn); err != nil {
			t.Fatal(err)
		}
		b.eventually("it is counted", func() bool { return b.stack.Counters()[stack.InOffloadErrors] == uint64(i+1) })
	}
	p.connect() // everything goes on
	if counts, _, _ := b.l.Counts(); counts.Incomplete != 1 {
		t.Errorf("%d half-open, want the one with a good header", counts.Incomplete)
	}
}

// Any packet with any header: nothing panics, nothing is sent that is malformed.
func FuzzInboundOffload(f *testing.F) {
	client := segment.NewTuple(server, server)
	client.ClientAddr[15], client.ClientPort = 7, 4000
	syn := unfinished(&segment.Segment{Tuple: client, Seq: 1, Flags: segment.SYN, Window: 1000, Options: allOptions})
	var encoded [offload.Size]byte
	partial.Encode(encoded[:])
	f.Add(append(encoded[:], syn...))
	f.Add(append(make([]byte, offload.Size), syn...))
	f.Fuzz(func(t *testing.T, framed []byte) {
		if len(framed) < offload.Size {
			return
		}
		b := benchOn(t, tuntest.NewSmall(1500))
		b.stack.Inbound(bytes.Clone(framed[offload.Size:]), offload.Decode(framed))
		b.stack.Settle()
		b.check(make(map[segment.Tuple]numbers))
	})
}
