package sim

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

var (
	hostAddr   = netip.MustParseAddr("192.0.2.1")
	serverAddr = netip.MustParseAddrPort("192.0.2.2:80")
)

const mtu = 1500

// host is the other end of the line.
type host struct {
	ns    *gstack.Stack
	link  *channel.Endpoint
	dev   *tuntest.Device
	pumps sync.WaitGroup
	stop  context.CancelFunc

	mu      sync.Mutex // guards the following
	started time.Time
	trace   []string // the last packets, for who has to find out what went wrong
}

// traced is how many packets a trace keeps.
const traced = 300

// note keeps a packet as the host sees it.
func (h *host) note(direction string, packet []byte) {
	var s segment.Segment
	var text string
	if err := segment.Parse(packet, &s); err != nil {
		text = fmt.Sprintf("%d bytes: %v", len(packet), err)
	} else {
		text = s.String()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.trace) == traced {
		h.trace = slices.Delete(h.trace, 0, traced/2)
	}
	h.trace = append(h.trace, fmt.Sprintf("%9.4f %s %s", time.Since(h.started).Seconds(), direction, text))
}

// traceText is the trace, a packet a line.
func (h *host) traceText() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.trace, "\n")
}

func newHost(t *testing.T, dev *tuntest.Device) *host {
	t.Helper()
	h := &host{dev: dev, link: channel.New(1<<10, mtu, ""), started: time.Now()}
	h.ns = gstack.New(gstack.Options{
		NetworkProtocols:   []gstack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []gstack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	recovery := tcpip.TCPRecovery(0) // with RACK, a FIN is not always sent again
	// What a lost packet costs is waiting: this host does not wait long.
	minRTO, maxRTO := tcpip.TCPMinRTOOption(20*time.Millisecond), tcpip.TCPMaxRTOOption(time.Second)
	address := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddrFromSlice(hostAddr.AsSlice()).WithPrefix()}
	for _, err := range []tcpip.Error{
		h.ns.SetTransportProtocolOption(tcp.ProtocolNumber, &sack),
		h.ns.SetTransportProtocolOption(tcp.ProtocolNumber, &recovery),
		h.ns.SetTransportProtocolOption(tcp.ProtocolNumber, &minRTO),
		h.ns.SetTransportProtocolOption(tcp.ProtocolNumber, &maxRTO),
		h.ns.CreateNIC(1, h.link),
		h.ns.AddProtocolAddress(1, address, gstack.AddressProperties{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	h.ns.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	h.pumps.Go(func() { h.send(ctx) })
	h.pumps.Go(func() { h.receive(ctx) })
	return h
}

// send carries the host's packets to the device.
func (h *host) send(ctx context.Context) {
	for {
		pkt := h.link.ReadContext(ctx)
		if pkt == nil {
			return
		}
		view := pkt.ToView()
		h.note("sends", view.AsSlice())
		_ = h.dev.Inject(view.AsSlice()) // the device is closed, perhaps
		view.Release()
		pkt.DecRef()
	}
}

// receive carries packets from the device to the host.
func (h *host) receive(ctx context.Context) {
	for {
		packet, err := h.dev.Sent(ctx)
		if err != nil {
			return
		}
		h.note("gets ", packet)
		pkt := gstack.NewPacketBuffer(gstack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
		h.link.InjectInbound(ipv4.ProtocolNumber, pkt)
		pkt.DecRef()
	}
}

// dial connects to the endpoint.
func (h *host) dial(ctx context.Context) (*gonet.TCPConn, error) {
	return gonet.DialContextTCP(ctx, h.ns, tcpip.FullAddress{
		NIC: 1, Addr: tcpip.AddrFromSlice(serverAddr.Addr().AsSlice()), Port: serverAddr.Port(),
	}, ipv4.ProtocolNumber)
}

// abandon sends the SYN of a client that does not exist.
func (h *host) abandon(n int) {
	client := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), uint16(1000+n))
	_ = h.dev.Inject(segment.AppendRequest(nil, &segment.Segment{
		Tuple: segment.NewTuple(client, serverAddr), Seq: uint32(n), Flags: segment.SYN, Window: 1000,
	}))
}

func (h *host) close() {
	h.ns.Close()
	h.stop()
	h.pumps.Wait()
	h.link.Close()
	h.ns.Wait()
}
