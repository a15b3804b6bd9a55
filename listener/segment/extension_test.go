package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"tcplab/listener/segment"
)

// IPv6 extension headers (RFC 8200 section 4).
const (
	hopByHop, routing, fragment, destination = 0, 43, 44, 60
	esp, authentication, noNextHeader        = 50, 51, 59
)

// extension is an IPv6 extension header; the first byte of bytes is filled in
// with the number of the next one.
type extension struct {
	number byte
	bytes  []byte
}

// plain is a well-formed extension header of n bytes.
func plain(number byte, n int) extension {
	b := make([]byte, n)
	if b[1] = byte(n/8 - 1); number == authentication {
		b[1] = byte(n/4 - 2)
	}
	return extension{number, b}
}

// fragmentHeader is a fragment header with offset and M bit as they are in it.
func fragmentHeader(bits uint16) extension {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b[2:], bits)
	return extension{fragment, b}
}

// extend puts extension headers before the payload of an IPv6 packet.
func extend(packet []byte, last byte, extensions ...extension) []byte {
	var chain []byte
	next := &packet[6]
	for _, e := range extensions {
		*next = e.number
		chain = append(chain, e.bytes...)
		next = &chain[len(chain)-len(e.bytes)]
	}
	*next = last
	packet = slices.Insert(packet, 40, chain...)
	return resize(packet)
}

func TestParseWalksExtensionHeaders(t *testing.T) {
	const tcp = segment.ProtocolTCP
	with := func(last byte, extensions ...extension) func([]byte) []byte {
		return func(p []byte) []byte { return extend(p, last, extensions...) }
	}
	lying := func(number, length byte) extension { return extension{number, []byte{0, length, 0, 0, 0, 0, 0, 0}} }
	var many []extension
	for range 1000 {
		many = append(many, plain(destination, 8))
	}
	tryAll(t, example(tuples["IPv6"]), []flaw{
		{"hop-by-hop", with(tcp, plain(hopByHop, 8)), nil},
		{"destination", with(tcp, plain(destination, 64)), nil},
		{"routing", with(tcp, plain(routing, 24)), nil},
		{"authentication", with(tcp, plain(authentication, 24)), nil},
		{"authentication of 4n bytes", with(tcp, plain(authentication, 28)), nil},
		{"all of them", with(tcp, plain(hopByHop, 16), plain(destination, 8), plain(routing, 8), plain(authentication, 16), plain(destination, 24)), nil},
		{"2048 bytes", with(tcp, plain(destination, 2048)), nil},
		{"a thousand", with(tcp, many...), nil},
		// RFC 6946: a fragment that is the whole datagram.
		{"atomic fragment", with(tcp, fragmentHeader(0)), nil},
		{"atomic fragment, reserved bits", with(tcp, fragmentHeader(6)), nil},
		{"first fragment", with(tcp, fragmentHeader(1)), segment.ErrFragment},
		{"later fragment", with(tcp, fragmentHeader(8)), segment.ErrFragment},
		{"middle fragment", with(tcp, fragmentHeader(0xfff9)), segment.ErrFragment},
		{"later fragment of another protocol", with(17, fragmentHeader(8)), segment.ErrNotTCP},
		{"later fragment that begins with an extension", with(destination, fragmentHeader(8)), segment.ErrNotTCP},
		{"first fragment with extensions behind", with(tcp, fragmentHeader(1), plain(destination, 8)), segment.ErrFragment},
		{"extension longer than the packet", with(tcp, lying(destination, 255)), segment.ErrExtension},
		{"authentication longer than the packet", with(tcp, lying(authentication, 255)), segment.ErrExtension},
		{"no next header", with(noNextHeader, plain(destination, 8)), segment.ErrNotTCP},
		{"encrypted", with(esp), segment.ErrNotTCP},
		{"UDP", with(17), segment.ErrNotTCP},
		{"extension that swallows TCP", with(tcp, lying(destination, 5)), segment.ErrTruncated},
		{"nothing behind the last extension", func(p []byte) []byte {
			return resize(extend(p, tcp, plain(destination, 8))[:48])
		}, segment.ErrTruncated},
		{"extension of seven bytes", func(p []byte) []byte {
			return resize(extend(p, tcp, plain(destination, 8))[:47])
		}, segment.ErrExtension},
		{"fragment header of seven bytes", func(p []byte) []byte {
			return resize(extend(p, tcp, fragmentHeader(8))[:47])
		}, segment.ErrExtension},
		{"authentication of seven bytes", func(p []byte) []byte {
			return resize(extend(p, tcp, plain(authentication, 8))[:47])
		}, segment.ErrExtension},
		{"payload length 0", func(p []byte) []byte { p[4], p[5] = 0, 0; return p }, segment.ErrTruncated},
		{"payload length too large", func(p []byte) []byte { p[5]++; return p }, segment.ErrTruncated},
		{"39 bytes", func(p []byte) []byte { return p[:39] }, segment.ErrTruncated},
		{"checksum wrong", func(p []byte) []byte { p[len(p)-1]++; return p }, segment.ErrTCPChecksum},
	})
}

// A later fragment has no upper-layer header, and its bytes are not to be taken
// for one.
func TestFragmentsAreTold(t *testing.T) {
	for _, test := range []struct {
		name                   string
		bits                   uint16
		fragment, continuation bool
	}{
		{"atomic", 0, false, false},
		{"first", 1, true, false},
		{"middle", 9, true, true},
		{"last", 8, true, true},
	} {
		good := example(tuples["IPv6"])
		ip, err := segment.ParseIP(extend(segment.AppendRequest(nil, &good), segment.ProtocolTCP, fragmentHeader(test.bits)))
		if err != nil || ip.Fragment != test.fragment || ip.Continuation != test.continuation {
			t.Errorf("IPv6 %s: fragment %v, continuation %v, %v", test.name, ip.Fragment, ip.Continuation, err)
		}

		good = example(tuples["IPv4"])
		packet := segment.AppendRequest(nil, &good)
		binary.BigEndian.PutUint16(packet[6:], test.bits>>3|test.bits<<13)
		ip, err = segment.ParseIP(reseal(packet, 20))
		if err != nil || ip.Fragment != test.fragment || ip.Continuation != test.continuation {
			t.Errorf("IPv4 %s: fragment %v, continuation %v, %v", test.name, ip.Fragment, ip.Continuation, err)
		}
	}
}

// RFC 4942 section 2.2: an IPv4-mapped address has no business on the wire. A
// Tuple would take it for IPv4, and the answer would leave in another protocol
// than the question came in.
func TestMappedAddressesOnTheWireAreRefused(t *testing.T) {
	mapped := tuples["IPv4"]
	for _, which := range []string{"source", "destination", "both"} {
		good := example(tuples["IPv6"])
		packet := segment.AppendRequest(nil, &good)
		if which != "destination" {
			copy(packet[8:], mapped.ClientAddr[:])
		}
		if which != "source" {
			copy(packet[24:], mapped.ServerAddr[:])
		}
		var s segment.Segment
		if err := segment.Parse(reseal(packet, 40), &s); !errors.Is(err, segment.ErrMapped) {
			t.Errorf("mapped %s: %v, want %v (read as %v)", which, err, segment.ErrMapped, s.Tuple)
		}
	}
}

func TestIPAddresses(t *testing.T) {
	for name, tuple := range tuples {
		good := example(tuple)
		ip, err := segment.ParseIP(segment.AppendRequest(nil, &good))
		if err != nil || ip.Source() != tuple.Client().Addr() || ip.Destination() != tuple.Server().Addr() {
			t.Errorf("%s: %v > %v, %v", name, ip.Source(), ip.Destination(), err)
		}
		if !bytes.HasSuffix(ip.Payload(), good.Payload) {
			t.Errorf("%s: payload % x", name, ip.Payload())
		}
	}
}
