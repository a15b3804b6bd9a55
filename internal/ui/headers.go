package ui

import (
	"encoding/binary"
	"net/netip"
)

// Sizes and numbers of the headers (RFC 791, RFC 8200, RFC 9293).
const (
	tcpHeader    = 20
	ip4Header    = 20
	ip6Header    = 40
	protocolTCP  = 6
	ip4Fragments = 0x3fff // more fragments, and the fragment's offset
)

// ipHeader is what a ladder needs of an IP header.
type ipHeader struct {
	from, to netip.Addr
	header   int // its length
}

// readIP reads the header of a packet that carries TCP and is no fragment. It
// takes a packet that was cut off, which package segment does not.
func readIP(data []byte) (ipHeader, bool) {
	switch {
	case len(data) >= ip4Header && data[0]>>4 == 4:
		ip := ipHeader{
			from:   netip.AddrFrom4([4]byte(data[12:16])),
			to:     netip.AddrFrom4([4]byte(data[16:20])),
			header: int(data[0]&0xf) * 4,
		}
		ok := data[9] == protocolTCP && be16(data[6:])&ip4Fragments == 0 && ip.header >= ip4Header
		return ip, ok
	case len(data) >= ip6Header && data[0]>>4 == 6:
		ip := ipHeader{
			from:   netip.AddrFrom16([16]byte(data[8:24])),
			to:     netip.AddrFrom16([16]byte(data[24:40])),
			header: ip6Header,
		}
		return ip, data[6] == protocolTCP // kernels put no extension headers before TCP
	}
	return ipHeader{}, false
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
