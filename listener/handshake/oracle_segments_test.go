package handshake_test

import (
	"net/netip"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

// clients are so few that they meet again.
var clients = []netip.AddrPort{
	netip.MustParseAddrPort("192.0.2.1:40001"), netip.MustParseAddrPort("192.0.2.1:40002"),
	netip.MustParseAddrPort("192.0.2.1:40003"), netip.MustParseAddrPort("192.0.2.7:40001"),
	netip.MustParseAddrPort("198.51.100.1:80"), netip.MustParseAddrPort("203.0.113.255:1"),
	netip.MustParseAddrPort("[2001:db8::1]:40001"), netip.MustParseAddrPort("[2001:db8::1]:40002"),
}

func (p *pair) arrive(t *rapid.T) {
	p.feed(t, segment.Segment{
		Tuple: tupleOf(rapid.SampledFrom(clients).Draw(t, "client")), Flags: segment.SYN,
		Seq: rapid.Uint32().Draw(t, "seq"), Window: rapid.Uint16().Draw(t, "window"), Options: drawOptions(t, 1<<31),
	})
}

// half draws a half-open entry.
func (p *pair) half(t *rapid.T) *naiveEntry {
	if len(p.naive.incomplete) == 0 {
		t.Skip("nothing half-open")
	}
	return rapid.SampledFrom(p.naive.incomplete).Draw(t, "entry")
}

func (p *pair) complete(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{
		Tuple: e.tuple, Flags: segment.ACK, Seq: e.irs + 1, Ack: e.iss + 1, Payload: drawPayload(t),
		Options: segment.Options{HasTimestamps: e.options.HasTimestamps, TSVal: e.tsRecent},
	})
}

func (p *pair) again(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{
		Tuple: e.tuple, Flags: segment.SYN, Seq: e.irs, Payload: drawPayload(t), Options: drawOptions(t, e.tsRecent),
	})
}

func (p *pair) reset(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{Tuple: e.tuple, Flags: segment.RST, Seq: e.irs + 1})
}

// usual are the flags that tell the rules apart.
var usual = []segment.Flags{
	0, segment.SYN, segment.ACK, segment.RST, segment.SYN | segment.ACK, segment.RST | segment.ACK,
	segment.FIN | segment.ACK, segment.SYN | segment.FIN, segment.SYN | segment.RST,
}

// odd draws a segment that may mean anything, near the numbers where the rules
// differ.
func (p *pair) odd(t *rapid.T) {
	s := segment.Segment{
		Flags:   rapid.OneOf(rapid.SampledFrom(usual), rapid.Map(rapid.Uint8(), func(b uint8) segment.Flags { return segment.Flags(b) })).Draw(t, "flags"),
		Window:  rapid.Uint16().Draw(t, "window"),
		Payload: drawPayload(t),
	}
	if rapid.Bool().Draw(t, "stranger") {
		s.Tuple = tupleOf(rapid.SampledFrom(append([]netip.AddrPort{
			netip.MustParseAddrPort("224.0.0.5:1"), netip.MustParseAddrPort("255.255.255.255:1"),
			netip.MustParseAddrPort("192.0.2.255:1"), netip.MustParseAddrPort("192.0.2.2:80"),
			netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("0.0.0.0:1"),
			netip.MustParseAddrPort("[ff02::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:80"),
		}, clients...)).Draw(t, "client"))
		s.Seq, s.Ack = rapid.Uint32().Draw(t, "seq"), rapid.Uint32().Draw(t, "ack")
		s.Options = drawOptions(t, 0)
	} else {
		e := p.half(t)
		s.Tuple = e.tuple
		window := uint32(promiseTo(e.tuple).Window)
		s.Seq = e.irs + rapid.SampledFrom([]uint32{0, 1, 2, 500, window - 1, window, window + 1, window + 2, 1 << 31, 1<<32 - 1, 1<<32 - 2}).Draw(t, "seq")
		s.Ack = e.iss + rapid.SampledFrom([]uint32{1, 1, 1, 0, 2, 1 << 31}).Draw(t, "ack")
		s.Options = drawOptions(t, e.tsRecent)
	}
	p.feed(t, s)
}

func drawPayload(t *rapid.T) []byte {
	return make([]byte, rapid.SampledFrom([]int{0, 0, 0, 1, 2, 1000}).Draw(t, "payload"))
}

// drawOptions draws options, with a timestamp near one.
func drawOptions(t *rapid.T, near uint32) segment.Options {
	o := segment.Options{SACKPermitted: rapid.Bool().Draw(t, "SACK")}
	if o.HasMSS = rapid.Bool().Draw(t, "MSS"); o.HasMSS {
		o.MSS = rapid.Uint16().Draw(t, "MSS value")
	}
	if o.HasWindowScale = rapid.Bool().Draw(t, "scale"); o.HasWindowScale {
		o.WindowScale = rapid.Uint8Range(0, 14).Draw(t, "shift count")
	}
	if o.HasTimestamps = rapid.Bool().Draw(t, "timestamps"); o.HasTimestamps {
		o.TSVal = near + rapid.SampledFrom([]uint32{0, 1, 1000, 1<<32 - 1, 1 << 31}).Draw(t, "TSval")
	}
	return o
}
