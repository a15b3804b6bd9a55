package compare

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"tcplab/listener/segment"
)

// pinger is the address that pings come from: no client's.
var pinger = subnet.Addr().Next().Next().Next() // .3

// echoRequest is an IPv4 ping to the server.
func echoRequest(seq uint16) []byte {
	packet := make([]byte, header.IPv4MinimumSize+header.ICMPv4MinimumSize)
	ip := header.IPv4(packet)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(packet)),
		TTL:         64,
		Protocol:    segment.ProtocolICMP,
		SrcAddr:     tcpip.AddrFromSlice(pinger.AsSlice()),
		DstAddr:     tcpip.AddrFromSlice(serverAddr.Addr().AsSlice()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	icmp := header.ICMPv4(packet[header.IPv4MinimumSize:])
	icmp.SetType(header.ICMPv4Echo)
	icmp.SetSequence(seq)
	icmp.SetChecksum(^checksum.Checksum(icmp, 0))
	return packet
}

// echoReply is the sequence number of a ping's answer.
func echoReply(ip *segment.IP) (uint16, bool) {
	if ip.Protocol != segment.ProtocolICMP || len(ip.Payload()) < header.ICMPv4MinimumSize {
		return 0, false
	}
	icmp := ip.Payload()
	return binary.BigEndian.Uint16(icmp[6:]), icmp[0] == byte(header.ICMPv4EchoReply)
}
