package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/internal/ss"
)

// stateNames are the kernel's TCP states (include/net/tcp_states.h) in the words
// of ss(8).
var stateNames = [...]string{
	1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RECV", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT",
	7: "UNCONN", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECV",
}

// kernelSockets are the clients' sockets as their kernel knows them
// (inet_diag), by port.
func (v *Server) kernelSockets() []endpoint.Socket {
	var found []*netlink.Socket
	v.s.must("asking the kernel for its sockets", v.ns.Do(func() (err error) {
		found, err = netlink.SocketDiagTCP(unix.AF_INET)
		return err
	}))
	var list []endpoint.Socket
	for _, k := range found {
		local, peer := diagAddr(k.ID.Source, k.ID.SourcePort), diagAddr(k.ID.Destination, k.ID.DestinationPort)
		if peer != v.addr || int(k.State) >= len(stateNames) {
			continue
		}
		list = append(list, endpoint.Socket{
			State: stateNames[k.State], RecvQ: int(k.RQueue), SendQ: int(k.WQueue), Local: local, Peer: peer,
		})
	}
	slices.SortFunc(list, func(a, b endpoint.Socket) int { return cmp.Compare(a.Local.Port(), b.Local.Port()) })
	return list
}

func diagAddr(ip []byte, port uint16) netip.AddrPort {
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), port)
}

// ss shows both sides' sockets.
func (v *Server) ss() {
	for _, side := range []struct {
		command string
		sockets []endpoint.Socket
	}{{"# ss -tan           (the clients' kernel)", v.kernelSockets()}, {"# tcplab ss -tan    (the server)", v.Sockets(100).Sockets}} {
		var text bytes.Buffer
		v.s.must("showing sockets", ss.Write(&text, side.sockets, ss.Options{}))
		v.s.Show(side.command, strings.TrimSpace(text.String()))
	}
}

// sides are a connection's state and what waits in its queues, of a client's port,
// as each side has them: "ESTAB 0 24".
func (v *Server) sides(port uint16) (client, server string) {
	for _, k := range v.kernelSockets() {
		if k.Local.Port() == port {
			client = fmt.Sprint(k.State, " ", k.RecvQ, " ", k.SendQ)
		}
	}
	for _, o := range v.Sockets(100).Sockets {
		if o.Peer.Port() == port {
			server = fmt.Sprint(o.State, " ", o.RecvQ, " ", o.SendQ)
		}
	}
	return client, server
}
