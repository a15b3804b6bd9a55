package stack

import (
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// sum is what is known about the checksum of a TCP or UDP packet.
type sum uint8

const (
	// sumComplete: it is there, right or wrong.
	sumComplete sum = iota
	// sumValid: it is there and right.
	sumValid
	// sumPartial: the field holds the sum of the pseudo header alone, which no
	// change of the TCP header concerns.
	sumPartial
)

// sumOf is what an offload header says of the checksum.
func sumOf(h offload.Header) sum {
	switch {
	case h.Flags.Has(offload.NeedsChecksum):
		return sumPartial
	case h.Flags.Has(offload.ChecksumValid):
		return sumValid
	}
	return sumComplete
}

// complete makes a partial checksum of a TCP packet whole, and returns what is
// known about it from then on. It is as right as the sum of the pseudo header was.
func (s sum) complete(ip *segment.IP) sum {
	if s != sumPartial {
		return s
	}
	segment.CompleteChecksum(ip.Payload(), offChecksum)
	return sumComplete
}

// right reports whether a TCP or UDP packet's checksum is right. What is no whole
// packet is none of our business: fragments of TCP are dropped elsewhere, and
// those of UDP nobody hears.
func (s sum) right(ip *segment.IP) bool {
	if s != sumComplete || ip.Fragment {
		return true
	}
	if ip.Protocol == segment.ProtocolUDP {
		return ip.UDPChecksumOK()
	}
	return ip.ChecksumOK()
}

// field is where in a TCP header the checksum lies that has to follow a change;
// nil if none has to.
func (s sum) field(header []byte) []byte {
	if s == sumPartial {
		return nil
	}
	return header[offChecksum : offChecksum+2]
}

// maxGSO is the largest segment that netstack makes, its headers included: what
// fits in an IPv4 packet.
const maxGSO = 1<<16 - 1

// SupportedGSO implements gstack.GSOEndpoint. Netstack makes large segments
// itself, and leaves all checksums of TCP connections to us. It must not be told
// of CapabilityTXChecksumOffload beside that: some RSTs would have none at all.
func (l *link) SupportedGSO() gstack.SupportedGSO {
	if l.s.offload != nil {
		return gstack.HostGSOSupported
	}
	return gstack.GSONotSupported
}

// GSOMaxSize implements gstack.GSOEndpoint.
func (*link) GSOMaxSize() uint32 { return maxGSO }

var _ gstack.GSOEndpoint = (*link)(nil)

// headerOf is the offload header of a packet of netstack's.
func headerOf(pkt *gstack.PacketBuffer) offload.Header {
	gso := &pkt.GSOOptions
	if gso.Type == gstack.GSONone || !gso.NeedsCsum {
		return offload.Header{}
	}
	network := len(pkt.NetworkHeader().Slice())
	h := offload.Header{
		Flags:          offload.NeedsChecksum,
		ChecksumStart:  uint16(network),
		ChecksumOffset: gso.CsumOffset,
	}
	if pkt.Data().Size() <= int(gso.MSS) {
		return h
	}
	h.HeaderLen = uint16(network + len(pkt.TransportHeader().Slice()))
	h.GSOSize = gso.MSS
	h.GSOType = offload.GSOTCPv4
	if gso.Type == gstack.GSOTCPv6 {
		h.GSOType = offload.GSOTCPv6
	}
	return h
}
