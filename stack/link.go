package stack

import (
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"

	"tcplab/tun/offload"
)

// link is netstack's link endpoint: it carries packets between netstack and the
// device, without a link layer header.
type link struct {
	s   *Stack
	mtu atomic.Uint32

	mu         sync.RWMutex // guards dispatcher
	dispatcher gstack.NetworkDispatcher
}

var _ gstack.LinkEndpoint = (*link)(nil)

func newLink(s *Stack, mtu int) *link {
	l := &link{s: s}
	l.mtu.Store(uint32(mtu))
	return l
}

// deliver hands a copy of an IP packet to netstack, which verifies no checksum
// of TCP or UDP any more.
func (l *link) deliver(packet []byte) {
	l.mu.RLock()
	dispatcher := l.dispatcher
	l.mu.RUnlock()
	if dispatcher == nil {
		return
	}
	protocol := header.IPv4ProtocolNumber
	if packet[0]>>4 == 6 {
		protocol = header.IPv6ProtocolNumber
	}
	pkt := gstack.NewPacketBuffer(gstack.PacketBufferOptions{Payload: bufferOf(packet)})
	dispatcher.DeliverNetworkPacket(protocol, pkt)
	pkt.DecRef()
}

// headersAtMost is how long the headers of IP and TCP are together, in all packets
// but those with IPv6 extensions.
const headersAtMost = 128

// bufferOf copies a packet into a buffer of netstack's. A large one's headers are
// apart from its data: to read them netstack makes a copy of what they lie in.
func bufferOf(packet []byte) buffer.Buffer {
	if len(packet) < 8*headersAtMost {
		return buffer.MakeWithData(packet)
	}
	b := buffer.MakeWithData(packet[:headersAtMost])
	_ = b.Append(buffer.NewViewWithData(packet[headersAtMost:])) // it takes what there is room for: all
	return b
}

// WritePackets sends netstack's packets on their way. It is called with
// netstack's locks held.
func (l *link) WritePackets(pkts gstack.PacketBufferList) (int, tcpip.Error) {
	scratch := scratchPool.Get().(*[]byte)
	defer scratchPool.Put(scratch)
	for _, pkt := range pkts.AsSlice() {
		*scratch = appendPacket((*scratch)[:offload.Size], pkt)
		l.s.outbound(*scratch, headerOf(pkt))
	}
	return pkts.Len(), nil
}

// appendPacket appends a packet of netstack's to b.
func appendPacket(b []byte, pkt *gstack.PacketBuffer) []byte {
	views, skip := pkt.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		part := v.AsSlice()
		n := min(skip, len(part))
		b, skip = append(b, part[n:]...), skip-n
	}
	return b
}

// scratchPool holds buffers in which outbound packets are put together, behind
// room for an offload header: each has at least that length.
var scratchPool = sync.Pool{New: func() any { return new(make([]byte, offload.Size, 2048)) }}

// Attach implements gstack.LinkEndpoint.
func (l *link) Attach(dispatcher gstack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dispatcher = dispatcher
}

// IsAttached implements gstack.LinkEndpoint.
func (l *link) IsAttached() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dispatcher != nil
}

// MTU implements gstack.LinkEndpoint.
func (l *link) MTU() uint32 { return l.mtu.Load() }

// SetMTU implements gstack.LinkEndpoint.
func (l *link) SetMTU(mtu uint32) { l.mtu.Store(mtu) }

// Capabilities implements gstack.LinkEndpoint. The checksums of inbound packets
// are our affair, as netstack would verify all or none: it does not ask packet by
// packet, but some come with a checksum that is not finished, and what a raw
// socket made up has to be verified.
func (*link) Capabilities() gstack.LinkEndpointCapabilities {
	return gstack.CapabilityRXChecksumOffload
}

// The rest of gstack.LinkEndpoint: there is no link layer.

func (*link) MaxHeaderLength() uint16                 { return 0 }
func (*link) LinkAddress() tcpip.LinkAddress          { return "" }
func (*link) SetLinkAddress(tcpip.LinkAddress)        {}
func (*link) Wait()                                   {}
func (*link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (*link) AddHeader(*gstack.PacketBuffer)          {}
func (*link) ParseHeader(*gstack.PacketBuffer) bool   { return true }
func (*link) Close()                                  {}
func (*link) SetOnCloseAction(func())                 {}
