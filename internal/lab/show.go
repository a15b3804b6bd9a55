package lab

import (
	"fmt"
	"time"

	"tcplab/internal/trace"
	"tcplab/listener"
)

// eventLines are events as "tcplab up" prints them, with the time since the
// first one.
func eventLines(events []listener.Event) []string {
	lines := make([]string, len(events))
	for i := range events {
		e := &events[i]
		lines[i] = fmt.Sprintf("%s  port %d  %s: %s", since(e.Time, events[0].Time), e.Tuple.ClientPort, e.Words(), e.Reason())
	}
	return lines
}

// since is a time in a row of events.
func since(t, first time.Time) string { return fmt.Sprintf("%8.3fs", t.Sub(first).Seconds()) }

// Packets are the packets so far of a client's port, or of all with port 0.
func (v *Server) Packets(port uint16) []trace.Packet {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []trace.Packet
	for _, p := range v.packets {
		tuple, ok := p.Tuple()
		if port == 0 || ok && tuple.ClientPort == port {
			list = append(list, p)
		}
	}
	return list
}

// packetLines are packets in a ladder's manner, with what the listener made of
// them.
func packetLines(packets []trace.Packet) []string {
	var lines []string
	var relative numbers
	for i := range packets {
		p := &packets[i]
		text, _, ok := relative.describe(p)
		if !ok {
			continue
		}
		arrow := "<--"
		if p.Inbound {
			arrow = "-->"
		}
		lines = append(lines, fmt.Sprintf("%s  client %s server  %s", since(p.Time, packets[0].Time), arrow, text))
		for j := range p.Events {
			if e := &p.Events[j]; !p.Foreign(e) {
				lines = append(lines, fmt.Sprintf("%9s  %s: %s", "", e.Words(), e.Reason()))
			}
		}
	}
	return lines
}
