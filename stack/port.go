package stack

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// Segments owns the LISTEN and SYN-RECEIVED states of a port. It is called from
// the goroutine that reads the device.
type Segments = interface {
	// Segment takes a segment that belongs to no connection netstack has. It
	// points into a buffer that is used again after the call.
	Segment(s *segment.Segment)
	// Reopen takes a SYN on the tuple of a connection in TIME-WAIT that may open a
	// new one, whose initial sequence number has to be beyond sndNxt.
	Reopen(s *segment.Segment, sndNxt uint32)
	// Owns reports whether a segment on the tuple of a connection in TIME-WAIT is
	// of a newer handshake: of a half-open entry, or with a SYN cookie of ours.
	Owns(s *segment.Segment) bool
}

// Adopted is told how an adoption went; see Port.Adopt.
type Adopted = interface {
	Established(conn net.Conn)
	Failed(err error)
	Ended()
}

// Port is an open TCP port.
type Port struct {
	s        *Stack
	number   uint16
	segments Segments
	sockets  []socket // one for each of the endpoint's addresses
	promises [2]segment.Promise

	notify chan struct{} // capacity 1: netstack has accepted something; never closed
	quit   chan struct{} // closed by Close
	once   sync.Once
	done   chan struct{} // closed by the collecting goroutine
}

// socket is a listening endpoint of netstack's. It hears of adoptions only.
type socket struct {
	addr netip.Addr
	ep   tcpip.Endpoint
	wq   *waiter.Queue
}

// acceptAll is a backlog with which netstack never decides anything: it would
// send SYN cookies at the last place.
const acceptAll = math.MaxInt32

// Open opens a port. From now on segments for it that belong to no connection
// go to segments, perhaps before Open returns.
func (s *Stack) Open(number uint16, segments Segments) (*Port, error) {
	if number == 0 {
		return nil, fmt.Errorf("stack: port 0 cannot be opened: choose one from 1 to 65535")
	}
	p := &Port{
		s: s, number: number, segments: segments,
		notify: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, fmt.Errorf("stack: opening port %d: %w", number, net.ErrClosed)
	case s.ports[number] != nil:
		s.mu.Unlock()
		return nil, fmt.Errorf("stack: port %d is open already: close it first or choose another", number)
	}
	s.ports[number] = p
	s.mu.Unlock()

	err := p.listen()
	go p.collect()
	if err == nil {
		err = p.rehearse()
	}
	if err != nil {
		_ = p.Close() // half-open as it is
		return nil, fmt.Errorf("stack: opening port %d: %w", number, err)
	}
	return p, nil
}

// listen makes netstack listen at each of the endpoint's addresses.
func (p *Port) listen() error {
	for _, addr := range p.s.addrs {
		protocol := ipv4.ProtocolNumber
		if addr.Addr().Is6() {
			protocol = ipv6.ProtocolNumber
		}
		wq := new(waiter.Queue)
		ep, err := p.s.ns.NewEndpoint(tcp.ProtocolNumber, protocol, wq)
		if err != nil {
			return goError(err)
		}
		p.sockets = append(p.sockets, socket{addr: addr.Addr(), ep: ep, wq: wq})
		local := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(addr.Addr().AsSlice()), Port: p.number}
		if err := ep.Bind(local); err != nil {
			return fmt.Errorf("binding to %v: %w", addr.Addr(), goError(err))
		}
		if err := ep.Listen(acceptAll); err != nil {
			return goError(err)
		}
		entry := waiter.NewFunctionEntry(waiter.ReadableEvents, func(waiter.EventMask) {
			select {
			case p.notify <- struct{}{}:
			default:
			}
		})
		wq.EventRegister(&entry)
	}
	return nil
}

// Addr is the endpoint's first address with the port's number.
func (p *Port) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.s.addrs[0].Addr(), p.number))
}

// Subnets are the endpoint's addresses with their networks.
func (p *Port) Subnets() []netip.Prefix { return append([]netip.Prefix(nil), p.s.addrs...) }

// Promises are what netstack does over IPv4 and over IPv6, as it said itself.
func (p *Port) Promises() (v4, v6 segment.Promise) { return p.promises[0], p.promises[1] }

// Send sends a segment to the client of its tuple.
func (p *Port) Send(seg *segment.Segment) {
	scratch := scratchPool.Get().(*[]byte)
	defer scratchPool.Put(scratch)
	*scratch = segment.AppendReply((*scratch)[:offload.Size], seg)
	p.s.countSegment(seg.Flags)
	p.s.write(*scratch, offload.Header{})
}

// Adopt has netstack carry on a handshake that the port's listener finished.
// first is the packet that finished it.
func (p *Port) Adopt(h segment.Handshake, first []byte, adopted Adopted) {
	s := p.s
	s.counters.add(Adoptions)
	f := p.newFlow(h, adopted)
	f.begin(first)
	s.adopter.watch(f)
	if old := s.flows.put(f); old != nil {
		// In TIME-WAIT. Netstack would reopen it for a higher sequence number
		// only, not for a newer timestamp. What it sends now does not leave.
		if ep := old.endpoint.Load(); ep != nil {
			ep.Abort()
		}
	}
	s.link.deliver(segment.AppendRequest(nil, &h.SYN))
	select {
	case <-p.quit: // closed meanwhile: Close may have missed it
		s.adopter.unwatch(f)
		s.abandon(f, net.ErrClosed)
	default:
	}
}

// newFlow is the flow of a handshake that netstack has not been played yet.
func (p *Port) newFlow(h segment.Handshake, adopted Adopted) *flow {
	f := &flow{
		s: p.s, port: p, tuple: h.SYN.Tuple, irs: h.SYN.Seq, iss: h.ISS, tsval: h.TSVal,
		started: time.Now(), adopted: adopted, syn: &h.SYN,
	}
	f.sndNxt.Store(h.ISS + 1)
	f.sndUna.Store(h.ISS + 1)
	f.rcvEnd.Store(h.SYN.Seq + 1)
	f.rcvMax.Store(h.SYN.Seq + 1)
	f.rcvNxt.Store(h.SYN.Seq + 1)
	promise := p.promises[0]
	if !f.tuple.Is4() {
		promise = p.promises[1]
	}
	f.rcvEdge.Store(h.SYN.Seq + 1 + uint32(promise.Window))
	if h.SYN.Options.HasWindowScale && promise.HasWindowScale {
		f.rcvWndShift, f.sndWndShift = promise.WindowScale, min(h.SYN.Options.WindowScale, 14) // RFC 7323 section 2.3
	}
	f.send.pool, f.receive.pool = p.s.memory, p.s.memory
	f.send.unread = kernelTakes
	return f
}

// begin notes what the packet says that finished the handshake, and keeps it for
// netstack, behind an ACK without anything else if it says more than that. In
// SYN-RECEIVED netstack wants a segment to begin inside the window, where Linux
// takes one that overlaps it (tcp_check_req, tcp_in_window); and it puts data that
// comes with the final ACK at the end of its queue, behind the RST or data that the
// client sent next.
func (f *flow) begin(first []byte) {
	first = bytes.Clone(first)
	f.pending = [][]byte{first}
	ip, err := segment.ParseIP(first)
	if err != nil {
		return
	}
	header, err := segment.TCPHeader(&ip)
	if err != nil {
		return
	}
	f.heard(&ip, header)
	var ack segment.Segment
	if segment.ParseTCP(&ip, &ack) != nil || ack.Flags == segment.ACK && ack.Seq == f.irs+1 && ack.Len() == 0 {
		return
	}
	ack.Seq, ack.Flags, ack.Payload = f.irs+1, segment.ACK, nil
	f.pending = [][]byte{segment.AppendRequest(nil, &ack), first}
}

// forget takes a connection that is not established out of netstack.
func (s *Stack) forget(f *flow) {
	s.link.deliver(segment.AppendRequest(nil, &segment.Segment{
		Tuple: f.tuple, Seq: f.irs + 1, Flags: segment.RST,
	}))
}

// collect takes what netstack has accepted, until the port is closed.
func (p *Port) collect() {
	defer close(p.done)
	for {
		for _, socket := range p.sockets {
			for {
				var peer tcpip.FullAddress
				ep, wq, err := socket.ep.Accept(&peer)
				if err != nil {
					break // nothing there
				}
				p.established(socket.addr, peer, ep.(*tcp.Endpoint), wq)
			}
		}
		select {
		case <-p.notify:
		case <-p.quit:
			return
		}
	}
}

// established matches a connection of netstack's with the adoption that asked
// for it.
func (p *Port) established(local netip.Addr, peer tcpip.FullAddress, ep *tcp.Endpoint, wq *waiter.Queue) {
	remote, _ := netip.AddrFromSlice(peer.Addr.AsSlice())
	f := p.s.flows.get(segment.NewTuple(netip.AddrPortFrom(remote, peer.Port), netip.AddrPortFrom(local, p.number)))
	var adopted Adopted
	if f != nil {
		p.s.adopter.unwatch(f)
		adopted = f.settle()
	}
	if adopted == nil { // given up in the meantime
		ep.Abort()
		return
	}
	f.endpoint.Store(ep)
	ep.SocketOptions().SetSendBufferSize(unlimitedSend, true) // f.send decides
	f.receive.begin(ep)
	p.s.timeouts.Load().keepalive(ep)
	adopted.Established(newConn(f, ep, wq))
	f.hangup = waiter.NewFunctionEntry(waiter.EventHUp, func(waiter.EventMask) { f.hungUp(adopted) })
	wq.EventRegister(&f.hangup)
	f.hungUp(adopted) // it may have ended before the entry was there
}

// hungUp ends the flow if netstack's endpoint has ended. Called with netstack's
// locks held.
func (f *flow) hungUp(adopted Adopted) {
	if state := f.endpointState(); state != tcp.StateClose && state != tcp.StateError {
		return
	}
	if f.end() {
		return
	}
	newer := f.s.flows.get(f.tuple) != f // which has ended this one in TIME-WAIT
	if f.endpointState() == tcp.StateError && !f.reset.Load() && !f.rstSent.Load() && !newer {
		f.timedOut()
	}
	f.s.flows.remove(f)
	adopted.Ended()
}

// findEndpoint is what netstack would hand a segment of this tuple to.
func (s *Stack) findEndpoint(tuple segment.Tuple) gstack.TransportEndpoint {
	protocol := ipv4.ProtocolNumber
	if !tuple.Is4() {
		protocol = ipv6.ProtocolNumber
	}
	client, server := tuple.Client(), tuple.Server()
	return s.ns.FindTransportEndpoint(protocol, tcp.ProtocolNumber, gstack.TransportEndpointID{
		LocalAddress:  tcpip.AddrFromSlice(server.Addr().AsSlice()),
		LocalPort:     server.Port(),
		RemoteAddress: tcpip.AddrFromSlice(client.Addr().AsSlice()),
		RemotePort:    client.Port(),
	}, nic)
}

// Close gives the port back: it is closed from now on, and a SYN is answered
// with RST. Connections that were handed over go on; those whose adoption has
// not ended yet have failed, with net.ErrClosed.
func (p *Port) Close() error {
	err := net.ErrClosed
	p.once.Do(func() {
		err = nil
		p.s.mu.Lock()
		delete(p.s.ports, p.number)
		p.s.mu.Unlock()
		close(p.quit)
		<-p.done
		adopting := p.s.adopter.unwatchAll(p)
		for _, f := range adopting {
			f.end()
		}
		for _, socket := range p.sockets {
			socket.ep.Close() // with all that it has queued; what it sends for them does not leave
		}
		for _, f := range adopting {
			p.s.flows.remove(f)
			if adopted := f.settle(); adopted != nil {
				adopted.Failed(net.ErrClosed)
			}
		}
	})
	return err
}
