package ui

import (
	"bytes"
	"net/http"

	"tcplab/internal/capture"
	"tcplab/internal/jsonapi"
	"tcplab/internal/trace"
)

// packetsKept is how many of the last packets the capture has.
const packetsKept = 20000

// packets are the last packets. The zero value is ready for use.
type packets struct {
	ring  []trace.Packet
	first int // of ring, the oldest one, once it is full
}

// add keeps a copy of a packet, and gives it back.
func (p *packets) add(packet *trace.Packet) {
	kept := trace.Packet{
		Time: packet.Time, Inbound: packet.Inbound, Data: bytes.Clone(packet.Data), Length: packet.Length,
		Events: packet.Events, Lost: packet.Lost, LostEvents: packet.LostEvents,
	}
	packet.Release()
	if len(p.ring) < packetsKept {
		p.ring = append(p.ring, kept)
		return
	}
	p.ring[p.first] = kept
	p.first = (p.first + 1) % packetsKept
}

// list is a copy, the oldest one first.
func (p *packets) list() []trace.Packet {
	return append(append(make([]trace.Packet, 0, len(p.ring)), p.ring[p.first:]...), p.ring[:p.first]...)
}

// capture answers with the recent packets, annotated, as a pcapng file.
func (s *Server) capture(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		jsonapi.Refuse(w, jsonapi.Errorf(http.StatusServiceUnavailable, "the instance is ending"))
		return
	}
	list, status := s.packets.list(), s.instance.Status(0)
	s.mu.Unlock()
	encoder, err := capture.NewEncoder(capture.Describe(status, snaplen))
	if err != nil {
		jsonapi.Refuse(w, jsonapi.Errorf(http.StatusInternalServerError, "beginning the capture: %v", err))
		return
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", `attachment; filename="`+status.Dev+`.pcapng"`)
	_ = encoder.WriteSection(w, list) // the browser is gone, perhaps
}
