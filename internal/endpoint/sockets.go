package endpoint

import (
	"cmp"
	"net/netip"
	"slices"

	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/segment"
	"tcplab/stack"
)

// Sockets are the sockets of an endpoint as ss(8) knows them.
type Sockets struct {
	Sockets []Socket `json:"sockets"` // listening ones, half-open ones, connections
	// How many half-open entries and connections were left out.
	MoreHalfOpen    int `json:"more_half_open"`
	MoreConnections int `json:"more_connections"`
}

// maxSockets is the most that is listed of each kind: a list is for people.
const maxSockets = 100_000

// Socket is a listening socket, a half-open entry or a connection. Fields are
// added, never changed.
type Socket struct {
	State string `json:"state"`  // LISTEN, SYN-RECV, ESTAB, …
	RecvQ int    `json:"recv_q"` // LISTEN: length of the completed queue; else bytes not read
	SendQ int    `json:"send_q"` // LISTEN: effective backlog; else bytes not acknowledged

	// Local of LISTEN is [::] where one socket serves both versions of IP; Addrs
	// are its addresses.
	Local netip.AddrPort   `json:"local"`
	Peer  netip.AddrPort   `json:"peer"` // not of LISTEN
	Addrs []netip.AddrPort `json:"addrs,omitempty"`

	// Of SYN-RECV: how often the SYN-ACK was sent again, and milliseconds until
	// its timer fires.
	Retransmits int   `json:"retransmits"`
	TimerMS     int64 `json:"timer_ms"`
}

// States of sockets that are no connection of netstack's.
const (
	StateListen  = "LISTEN"
	StateSYNRecv = "SYN-RECV"
)

// Sockets lists the listening sockets, and at most limit each, up to a hundred
// thousand, of the half-open entries of a port and of all connections. It is not one moment's picture: a
// connection that changes meanwhile may show as before or as after.
func (e *Endpoint) Sockets(limit int) Sockets {
	limit = min(limit, maxSockets)
	var list Sockets
	var halfOpen []Socket
	at := make(map[segment.Tuple]int) // in halfOpen
	for _, l := range e.listeners {
		s := l.Snapshot(limit)
		list.Sockets = append(list.Sockets, e.listening(&s))
		list.MoreHalfOpen += max(s.Counts.Incomplete-len(s.Incomplete), 0)
		for _, q := range s.Incomplete {
			if q.State != backlog.Incomplete {
				continue // parked: established, and among the connections
			}
			at[q.Tuple] = len(halfOpen)
			halfOpen = append(halfOpen, Socket{
				State: StateSYNRecv, Local: q.Tuple.Server(), Peer: q.Client,
				Retransmits: q.Retransmits, TimerMS: q.Timer.Milliseconds(),
			})
		}
	}
	var connections []Socket
	connections, list.MoreConnections = e.connections(limit, at, halfOpen)
	halfOpen = slices.DeleteFunc(halfOpen, func(s Socket) bool { return s.State == "" })
	list.Sockets = append(append(list.Sockets, halfOpen...), connections...)
	return list
}

// listening is the socket of a listener.
func (e *Endpoint) listening(s *listener.Snapshot) Socket {
	socket := Socket{State: StateListen, RecvQ: s.Counts.Completed, SendQ: s.Effective, Local: s.Addr}
	for _, link := range e.config.Links {
		socket.Addrs = append(socket.Addrs, netip.AddrPortFrom(link.Addr, s.Addr.Port()))
	}
	if len(socket.Addrs) > 1 {
		socket.Local = netip.AddrPortFrom(netip.IPv6Unspecified(), s.Addr.Port())
	}
	return socket
}

// connections are the connections that netstack has. One that has been promoted
// since the incomplete queue was read is taken out of halfOpen; one in TIME-WAIT
// that is being reopened shows as half-open, as its tuple is a socket once only.
func (e *Endpoint) connections(limit int, at map[segment.Tuple]int, halfOpen []Socket) (list []Socket, more int) {
	all := e.stack.Sockets(limit)
	for _, s := range all {
		if i, ok := at[s.Tuple]; ok {
			if s.State == stack.TimeWait {
				continue
			}
			halfOpen[i] = Socket{}
		}
		list = append(list, Socket{
			State: string(s.State), RecvQ: s.RecvQ, SendQ: s.SendQ, Local: s.Tuple.Server(), Peer: s.Tuple.Client(),
		})
	}
	slices.SortFunc(list, func(a, b Socket) int { return cmp.Or(a.Local.Compare(b.Local), a.Peer.Compare(b.Peer)) })
	if len(all) >= limit {
		more = max(e.stack.Connections()-len(all), 0)
	}
	return list, more
}
