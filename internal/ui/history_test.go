package ui

import (
	"net/netip"
	"testing"
	"time"

	"tcplab/internal/events"
	"tcplab/listener"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func tuple(port int) segment.Tuple {
	server := netip.MustParseAddrPort("192.0.2.2:80")
	client := netip.MustParseAddr("192.0.2.1")
	if port%2 == 1 {
		server, client = netip.MustParseAddrPort("[2001:db8::2]:80"), netip.MustParseAddr("2001:db8::1")
	}
	return segment.NewTuple(netip.AddrPortFrom(client, uint16(port)), server)
}

func happened(ms int, kind handshake.Kind, port int) *listener.Event {
	return &listener.Event{Time: at(ms), Event: handshake.Event{Kind: kind, Tuple: tuple(port), Profile: profiles.BSD}}
}

// syn and synack give a history the packet of a client with this port.
func (h *history) syn(ms, port int, seq uint32) {
	data := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple(port), Seq: seq, Flags: segment.SYN, Options: segment.Options{HasMSS: true, MSS: 1460}})
	h.packet(at(ms), true, data, len(data))
}

func (h *history) synack(ms, port int, seq, ack uint32) {
	data := segment.AppendReply(nil, &segment.Segment{Tuple: tuple(port), Seq: seq, Ack: ack, Flags: segment.SYN | segment.ACK})
	h.packet(at(ms), false, data, len(data))
}

// newest is the ladder of the newest connection.
func (h *history) newest(t *testing.T) Ladder {
	t.Helper()
	l, ok := h.ladder(h.lastID, at(0))
	if !ok {
		t.Fatal("the newest connection is not kept")
	}
	return l
}

// words are the steps of a ladder: flags of segments, kinds of events.
func words(l *Ladder) (list []string) {
	for i := range l.Steps {
		word := l.Steps[i].Kind + l.Steps[i].Flags
		if l.Steps[i].Dropped {
			word += " dropped"
		}
		list = append(list, word)
	}
	return list
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Packets and events come from two sources, and stand in the order of their
// times, whichever was gathered first.
func TestLadderIsInOrderOfTime(t *testing.T) {
	for port := range 2 { // IPv4 and IPv6
		var h history
		h.syn(0, 1000+port, 5000)
		h.synack(2, 1000+port, 9000, 5001)
		h.event(happened(1, handshake.SYNAdmitted, 1000+port))
		l := h.newest(t)
		if got := words(&l); !equal(got, []string{"S", "syn-admitted", "S."}) {
			t.Errorf("steps %v", got)
		}
		if l.ClientISN == nil || *l.ClientISN != 5000 || l.ServerISN == nil || *l.ServerISN != 9000 || l.State != Incomplete {
			t.Errorf("%+v", l.Summary)
		}
		if l.Steps[0].Options == "" || l.Steps[2].Ack != 5001 {
			t.Errorf("segments %+v", l.Steps)
		}
	}
}

func TestDroppedSegmentIsMarked(t *testing.T) {
	var h history
	h.syn(0, 1000, 1)
	h.event(happened(1, handshake.SYNDropped, 1000))
	h.syn(1000, 1000, 1)
	h.event(happened(1001, handshake.SYNDropped, 1000))
	h.syn(3000, 1000, 1)
	h.event(happened(3001, handshake.SYNAdmitted, 1000))
	l := h.newest(t)
	if got := words(&l); !equal(got, []string{"S dropped", "syn-dropped", "S dropped", "syn-dropped", "S", "syn-admitted"}) {
		t.Errorf("steps %v", got)
	}
	if l.Drops != 2 || l.ID != 1 || l.State != Incomplete {
		t.Errorf("%+v: want one connection, two drops", l.Summary)
	}
}

// A SYN on the tuple of a connection that is over, or with another sequence
// number, is another connection.
func TestTupleUsedAgain(t *testing.T) {
	var h history
	h.syn(0, 1000, 1)
	h.event(happened(1, handshake.Expired, 1000))
	h.event(happened(10, handshake.SYNAdmitted, 1000)) // told before its packet
	h.syn(9, 1000, 77)
	if h.lastID != 2 {
		t.Errorf("%d connections, want 2", h.lastID)
	}
	l := h.newest(t)
	if got := words(&l); !equal(got, []string{"S", "syn-admitted"}) {
		t.Errorf("steps %v", got)
	}
	h.syn(20, 1000, 78)
	if h.lastID != 3 {
		t.Errorf("%d connections, want 3", h.lastID)
	}
}

// A flood is bounded, and displaces neither what completed nor what is looked
// at.
func TestFloodIsBounded(t *testing.T) {
	var h history
	h.syn(0, 1000, 1)
	h.event(happened(1, handshake.Promoted, 1000))
	h.syn(2, 1002, 1)
	if _, ok := h.ladder(2, at(3)); !ok { // somebody looks
		t.Fatal("no ladder")
	}
	for i := range 10 * keepEach {
		h.syn(4, 2000+i, 1)
		h.event(happened(4, handshake.SYNDropped, 2000+i))
	}
	if n := len(h.byID); n > 2*keepEach || len(h.byTuple) != n {
		t.Errorf("%d connections and %d tuples are kept", n, len(h.byTuple))
	}
	for _, id := range []uint64{1, 2} {
		if _, ok := h.ladder(id, at(5)); !ok {
			t.Errorf("connection %d is forgotten", id)
		}
	}
	if list := h.summaries(false); list[0].ID < list[1].ID || h.summaries(false) != nil || len(h.summaries(true)) != len(list) {
		t.Error("summaries: want the newest one first, and nothing when nothing changed")
	}
}

// Of a long connection the first and the last steps are kept, and what is
// between is counted.
func TestLongConnection(t *testing.T) {
	var h history
	const n = 1000
	for i := range n {
		h.synack(i, 1000, uint32(i), 1)
	}
	l := h.newest(t)
	if len(l.Steps)+l.Omitted != n || len(l.Steps) > headSteps+2*tailSteps || l.Before != headSteps {
		t.Errorf("%d steps, %d omitted after %d", len(l.Steps), l.Omitted, l.Before)
	}
	if first, last := l.Steps[0].Seq, l.Steps[len(l.Steps)-1].Seq; first != 0 || last != n-1 {
		t.Errorf("from %d to %d", first, last)
	}
}

// Whatever bytes a packet has, reading it is safe.
func FuzzReadStep(f *testing.F) {
	for _, port := range []int{1000, 1001} {
		f.Add(segment.AppendRequest(nil, &segment.Segment{Tuple: tuple(port), Flags: segment.SYN, Options: segment.Options{HasMSS: true, MSS: 1460}}), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, inbound bool) {
		_, s, ok := readStep(data, len(data), inbound)
		if ok && s.length > len(data) {
			t.Errorf("%d bytes of data in a packet of %d", s.length, len(data))
		}
	})
}

func TestChooseShowsEachKind(t *testing.T) {
	var list []events.Event
	for i := range 1000 {
		kind := handshake.SYNDropped
		if i == 3 {
			kind = handshake.Accepted
		}
		list = append(list, events.Event{Event: *happened(i, kind, 1000+i)})
	}
	shown, hidden := choose(list, 30)
	if len(shown) != 30 || hidden != 970 {
		t.Fatalf("%d shown, %d hidden", len(shown), hidden)
	}
	if shown[0].Kind != handshake.Accepted || !shown[29].Time.Equal(at(999)) {
		t.Errorf("the rare kind is not shown, or not the newest ones: %v … %v", shown[0].Time, shown[29].Time)
	}
	for i := range shown[1:] {
		if !shown[i].Time.Before(shown[i+1].Time) {
			t.Error("not in order")
		}
	}
	if all, none := choose(list[:30], 30); len(all) != 30 || none != 0 {
		t.Error("few events are not all shown")
	}
}
