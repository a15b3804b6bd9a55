package stack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	gstack "gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

// linuxSettings have a reset connection stay in the completed queue, as Linux does.
var linuxSettings = backlog.Settings{Backlog: 8, Somaxconn: 4096, MaxSynBacklog: 2048, Syncookies: 1}

// A net.Conn of the endpoint's passes the tests of golang.org/x/net/nettest in both
// roles, with a client that has a netstack of its own.
func TestConnOfNettest(t *testing.T) {
	for _, first := range []string{"server", "client"} {
		t.Run(first+" first", func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				dev := tuntest.New(1500)
				b := newBenchOf(t, dev, profiles.Linux, linuxSettings)
				client, hangUp := dial(t, dev)
				conn := b.accept()
				stop = func() {
					conn.Close()
					client.Close()
					hangUp()
				}
				if first == "client" {
					return client, conn, stop, nil
				}
				return conn, client, stop, nil
			})
		})
	}
}

// dial connects to the server with a netstack on the other end of the device, which
// hangUp removes.
func dial(t *testing.T, dev *tuntest.Device) (conn net.Conn, hangUp func()) {
	t.Helper()
	link := channel.New(1<<10, 1500, "")
	ns := gstack.New(gstack.Options{
		NetworkProtocols:   []gstack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []gstack.TransportProtocolFactory{tcp.NewProtocol},
	})
	address := tcpip.ProtocolAddress{
		Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddrFrom4([4]byte{192, 0, 2, 1}).WithPrefix(),
	}
	if err := errors.Join(asError(ns.CreateNIC(1, link)), asError(ns.AddProtocolAddress(1, address, gstack.AddressProperties{}))); err != nil {
		t.Fatal(err)
	}
	ns.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: 1}})
	ctx, cancel := context.WithCancel(context.Background())
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for pkt := link.ReadContext(ctx); pkt != nil; pkt = link.ReadContext(ctx) {
			view := pkt.ToView()
			_ = dev.Inject(view.AsSlice()) // it is closed, perhaps
			view.Release()
			pkt.DecRef()
		}
	})
	pumps.Go(func() {
		for packet, err := dev.Sent(ctx); err == nil; packet, err = dev.Sent(ctx) {
			pkt := gstack.NewPacketBuffer(gstack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
			link.InjectInbound(ipv4.ProtocolNumber, pkt)
			pkt.DecRef()
		}
	})
	to := tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFromSlice(server.Addr().AsSlice()), Port: server.Port()}
	conn, err := gonet.DialContextTCP(ctx, ns, to, ipv4.ProtocolNumber)
	if err != nil {
		t.Fatal(err)
	}
	return conn, func() {
		ns.Close()
		cancel()
		pumps.Wait()
		link.Close()
		ns.Wait()
	}
}

func asError(err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.String())
}

// contract is a connection whose contract is looked at after each of what happens
// to it.
type contract struct {
	*peer
	conn           net.Conn // nil: not accepted
	closed         bool     // by the application
	listenerClosed bool
	stackClosed    bool
}

// steps are what may happen to a connection, in any order.
var steps = map[string]func(*contract){
	"RST":  func(c *contract) { c.fromClient(segment.RST, "") },
	"FIN":  func(c *contract) { c.fromClient(segment.FIN|segment.ACK, "") },
	"data": func(c *contract) { c.fromClient(segment.PSH|segment.ACK, "data") },
	"accept": func(c *contract) {
		if c.conn != nil {
			return
		}
		ctx, cancel := c.ctx, context.CancelFunc(func() {})
		if c.stackClosed {
			ctx, cancel = context.WithTimeout(ctx, 10*time.Millisecond) // it may have been lost with the endpoint
		}
		defer cancel()
		conn, err := c.l.AcceptContext(ctx)
		switch {
		case err == nil && c.listenerClosed:
			c.Error("accept after the listener was closed returns a connection")
		case err == nil:
			c.conn = conn
		case c.listenerClosed:
			c.wantClosed("accept", err)
		case !c.stackClosed:
			c.Errorf("accept: %v", err)
		}
	},
	"close": func(c *contract) {
		if c.conn == nil {
			return
		}
		if err := c.conn.Close(); !c.closed && err != nil {
			c.Errorf("close: %v", err)
		} else if c.closed {
			c.wantClosed("close", err)
		}
		c.closed = true
	},
	"abort": func(c *contract) {
		if c.conn != nil {
			c.conn.(interface{ Abort() }).Abort()
			c.closed = true
		}
	},
	"listener closed": func(c *contract) {
		if err := c.l.Close(); !c.listenerClosed && err != nil {
			c.Errorf("closing the listener: %v", err)
		}
		c.listenerClosed = true
	},
	"endpoint closed": func(c *contract) {
		if err := c.stack.Close(); err != nil {
			c.Errorf("closing the endpoint: %v", err)
		}
		c.stackClosed = true
	},
}

// fromClient sends a segment, unless the device is gone.
func (c *contract) fromClient(flags segment.Flags, data string) {
	if !c.stackClosed {
		c.send(flags, data)
	}
}

func (c *contract) wantClosed(what string, err error) {
	c.Helper()
	op := new(net.OpError)
	if !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Net != "tcp" || op.Addr == nil {
		c.Errorf("%s: %#v, want a *net.OpError of net.ErrClosed", what, err)
	}
}

// wantError wants an error that a connection may have which nobody has closed.
func (c *contract) wantError(what string, err error) {
	c.Helper()
	op := new(net.OpError)
	switch {
	case errors.Is(err, net.ErrClosed):
		c.Errorf("%s: %v, but it is open", what, err)
	case errors.Is(err, io.EOF) && strings.HasPrefix(what, "read"):
	case !errors.As(err, &op), op.Net != "tcp", op.Source == nil, op.Addr == nil, op.Op == "":
		c.Errorf("%s: %#v, want a *net.OpError", what, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		if !op.Timeout() {
			c.Errorf("%s: %v is no timeout", what, err)
		}
	case !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNABORTED):
		c.Errorf("%s: %v", what, err)
	}
}

// check looks at the whole contract.
func (c *contract) check() {
	c.Helper()
	if c.l.Addr() == nil || c.l.Addr().String() != server.String() {
		c.Errorf("the listener is at %v", c.l.Addr())
	}
	if c.listenerClosed {
		_, err := c.l.Accept()
		c.wantClosed("accept after close", err)
		c.wantClosed("closing the listener again", c.l.Close())
		c.wantClosed("ready after close", c.l.Ready(c.ctx))
	}
	if c.conn == nil {
		return
	}
	half := c.conn.(interface {
		CloseRead() error
		CloseWrite() error
	})
	local, okLocal := c.conn.LocalAddr().(*net.TCPAddr)
	remote, okRemote := c.conn.RemoteAddr().(*net.TCPAddr)
	if !okLocal || !okRemote || local.AddrPort() != server || remote.AddrPort() != c.tuple.Client() {
		c.Errorf("its addresses are %v and %v", c.conn.LocalAddr(), c.conn.RemoteAddr())
	}
	past := time.Unix(1, 0)
	if c.closed {
		for _, n := range []int{0, 1} {
			_, err := c.conn.Read(make([]byte, n))
			c.wantClosed(fmt.Sprint("reading ", n, " bytes"), err)
			_, err = c.conn.Write(make([]byte, n))
			c.wantClosed(fmt.Sprint("writing ", n, " bytes"), err)
		}
		c.wantClosed("SetDeadline", c.conn.SetDeadline(past))
		c.wantClosed("SetReadDeadline", c.conn.SetReadDeadline(time.Time{}))
		c.wantClosed("SetWriteDeadline", c.conn.SetWriteDeadline(time.Now().Add(time.Hour)))
		c.wantClosed("CloseRead", half.CloseRead())
		c.wantClosed("CloseWrite", half.CloseWrite())
		c.wantClosed("close again", c.conn.Close())
		return
	}
	if n, err := c.conn.Read(nil); n != 0 || err != nil {
		c.Errorf("reading nothing: %d, %v", n, err)
	}
	if err := c.conn.SetDeadline(past); err != nil {
		c.Errorf("setting a deadline: %v", err)
	}
	for range 2 {
		if n, err := c.conn.Read(make([]byte, 10)); n != 0 {
			c.Errorf("read %d bytes after the deadline", n)
		} else {
			c.wantError("read after the deadline", err)
		}
		if n, err := c.conn.Write(make([]byte, 10)); n != 0 {
			c.Errorf("wrote %d bytes after the deadline", n)
		} else {
			c.wantError("write after the deadline", err)
		}
	}
	if err := c.conn.SetDeadline(time.Time{}); err != nil {
		c.Errorf("taking a deadline away: %v", err)
	}
	if _, err := c.conn.Write([]byte("answer")); err != nil {
		c.wantError("write", err)
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(time.Microsecond)); err != nil {
		c.Errorf("setting a deadline: %v", err)
	}
	if _, err := c.conn.Read(make([]byte, 10)); err != nil {
		c.wantError("read", err)
	}
}

// In each order of what may happen to a connection, net.Conn and net.Listener keep
// their contracts after each step.
func TestContractInEveryState(t *testing.T) {
	var names []string
	for name := range steps {
		names = append(names, name)
	}
	orders := 0
	var play func(order []string)
	play = func(order []string) {
		if len(order) == 3 {
			orders++
			playOrder(t, order)
			return
		}
		for _, name := range names {
			play(append(order[:len(order):len(order)], name))
		}
	}
	play(nil)
	if want := len(steps) * len(steps) * len(steps); orders != want {
		t.Errorf("%d orders, want %d", orders, want)
	}
}

func playOrder(t *testing.T, order []string) {
	t.Helper()
	b := newBenchOf(t, tuntest.New(1500), profiles.Linux, linuxSettings)
	c := &contract{peer: b.peer(4000, 1000, allOptions)}
	c.connect()
	c.send(segment.ACK, "")
	for _, name := range append(order, "accept") {
		if name == "endpoint closed" && c.stackClosed {
			continue
		}
		steps[name](c)
		c.check()
	}
	if c.conn != nil {
		c.conn.Close()
	}
	c.l.Close()
	c.stack.Close()
	if t.Failed() {
		t.Fatalf("in the order %q", order)
	}
}

// What waits ends when the connection does, and says why.
func TestWaitingCallsEnd(t *testing.T) {
	for _, test := range []struct {
		name        string
		end         func(*contract)
		read, write error
	}{
		{"RST", steps["RST"], syscall.ECONNRESET, syscall.ECONNRESET},
		{"FIN", steps["FIN"], io.EOF, nil},
		{"close", steps["close"], net.ErrClosed, net.ErrClosed},
		{"abort", steps["abort"], net.ErrClosed, net.ErrClosed},
		{"endpoint closed", steps["endpoint closed"], syscall.ECONNABORTED, syscall.ECONNABORTED},
		{"deadline", func(c *contract) {
			if err := c.conn.SetDeadline(time.Now().Add(time.Millisecond)); err != nil {
				c.Error(err)
			}
		}, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
		{"past deadline", func(c *contract) {
			if err := c.conn.SetDeadline(time.Unix(1, 0)); err != nil {
				c.Error(err)
			}
		}, os.ErrDeadlineExceeded, os.ErrDeadlineExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBenchOf(t, tuntest.New(1500), profiles.Linux, linuxSettings)
			c := &contract{peer: b.peer(4000, 1000, allOptions)}
			c.connect()
			c.send(segment.ACK, "")
			steps["accept"](c)
			const each = 3
			reads, writes := make(chan error, each), make(chan error, each)
			for range each {
				go func() { _, err := c.conn.Read(make([]byte, 1)); reads <- err }()
				go func() { _, err := c.conn.Write(make([]byte, 64<<20)); writes <- err }()
			}
			c.receive(segment.ACK) // a write is under way; nobody acknowledges any of it
			test.end(c)
			for range each {
				if err := <-reads; !errors.Is(err, test.read) {
					t.Errorf("a read ends with %v, want %v", err, test.read)
				}
			}
			if test.write == nil {
				steps["abort"](c)
				test.write = net.ErrClosed
			}
			for range each {
				if err := <-writes; !errors.Is(err, test.write) {
					t.Errorf("a write ends with %v, want %v", err, test.write)
				}
			}
		})
	}
}

// A connection that its client has reset before it was accepted has its addresses,
// and what the client had sent before can be read.
func TestResetBeforeAccept(t *testing.T) {
	b := newBenchOf(t, tuntest.New(1500), profiles.Linux, linuxSettings)
	for i := range uint16(100) {
		p := b.peer(4000+i, 1000, allOptions)
		p.tuple = segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("203.0.113.7"), 4000+i), server)
		p.connect()
		p.send(segment.ACK|segment.PSH, "hello")
		p.send(segment.RST, "")
		b.eventually("netstack has seen the RST", func() bool { return b.stack.Connections() == 0 })
		conn := b.accept()
		if got := fmt.Sprint(conn.LocalAddr(), conn.RemoteAddr()); got != fmt.Sprint(server, p.tuple.Client()) {
			t.Fatalf("its addresses are %v", got)
		}
		got := make([]byte, 10)
		if n, err := conn.Read(got); err != nil || string(got[:n]) != "hello" {
			t.Errorf("read %q, %v", got[:n], err)
		}
		for range 3 {
			if n, err := conn.Read(got); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("then read %d bytes, %v", n, err)
			}
			if n, err := conn.Write(got); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("then wrote %d bytes, %v", n, err)
			}
		}
		conn.Close()
	}
}
