package capture

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"tcplab/internal/endpoint"
	"tcplab/internal/trace"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

func tuple(port uint16) segment.Tuple {
	return segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port), netip.MustParseAddrPort("192.0.2.2:80"))
}

// packet is a SYN with n bytes behind it.
func packet(n int, events ...listener.Event) *trace.Packet {
	data := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple(4000), Flags: segment.SYN, Payload: make([]byte, n)})
	return &trace.Packet{Time: time.Unix(1700000000, 123456789), Inbound: true, Data: data, Length: len(data), Events: events}
}

func event(kind handshake.Kind, port uint16) listener.Event {
	return listener.Event{Event: handshake.Event{
		Kind: kind, Tuple: tuple(port), Profile: profiles.BSD, Limits: backlog.Limits{Settings: backlog.Settings{Backlog: 8}}, Counts: backlog.Counts{Completed: 13},
		Decision: backlog.Decision{Reason: backlog.TotalFull, Have: 13, Bound: 13},
	}}
}

func newEncoder(t *testing.T) *Encoder {
	t.Helper()
	e, err := NewEncoder(Info{Dev: "tcplab0", Snaplen: 200, Comment: "bsd"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// encode is the block of a packet.
func encode(t *testing.T, e *Encoder, p *trace.Packet) []byte {
	t.Helper()
	block, err := e.Packet(p)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(block)
}

// What gopacket reads is what was written.
func TestReadBack(t *testing.T) {
	e := newEncoder(t)
	in := packet(10, event(handshake.SYNDropped, 4000), event(handshake.Reset, 5000))
	in.Lost, in.LostEvents = 7, 2
	out := packet(11)
	out.Inbound, out.Data = false, out.Data[:45]
	file := slices.Concat(e.Header(), encode(t, e, in), encode(t, e, out), e.End())

	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info := r.SectionInfo(); info.Application != "tcplab" || info.Comment != "bsd" || info.OS == "" || info.Hardware == "" {
		t.Errorf("section %+v", info)
	}
	i, err := r.Interface(0)
	if err != nil || i.Name != "tcplab0" || i.SnapLength != 200 || i.LinkType != layers.LinkTypeRaw {
		t.Errorf("interface %+v, %v", i, err)
	}
	for n, want := range []struct {
		*trace.Packet
		direction pcapgo.NgEpbFlag
		comments  []string
	}{
		{in, pcapgo.NgEpbFlagDirectionInbound, []string{
			"7 packets are missing before this one: the capture was too slow for them",
			"2 events are missing before this one, which no packet showed: tcplab events has all",
			"SYN dropped: 13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8",
			"192.0.2.1:5000 reset by client: incomplete 0, completed 13",
		}},
		{out, pcapgo.NgEpbFlagDirectionOutbound, nil},
	} {
		data, info, options, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, want.Data) || info.Length != want.Length || !info.Timestamp.Equal(want.Time) {
			t.Errorf("packet %d: % x of %d bytes at %v", n, data, info.Length, info.Timestamp)
		}
		if options.Flags.Direction != want.direction || !slices.Equal(options.Comments, want.comments) {
			t.Errorf("packet %d: direction %v, comments %q", n, options.Flags.Direction, options.Comments)
		}
		if want.Lost > 0 && (options.DropCount == nil || *options.DropCount != want.Lost) {
			t.Errorf("packet %d: drop count %v, want %d", n, options.DropCount, want.Lost)
		}
	}
	_, _, _ = r.ReadPacketData() // to the end
	i, err = r.Interface(0)
	if s := i.Statistics; err != nil || s.PacketsReceived != 9 || s.PacketsDropped != 7 || s.EndTime.Before(s.StartTime) {
		t.Errorf("statistics %+v, %v", s, err)
	}
}

func TestDescribe(t *testing.T) {
	info := Describe(endpoint.Status{
		Dev: "tcplab0", App: "http", Accept: "off",
		Links: []endpoint.LinkStatus{{Addr: netip.MustParseAddr("192.0.2.2")}},
		Listeners: []endpoint.ListenerStatus{{
			Addr: netip.MustParseAddrPort("192.0.2.2:80"), Profile: "bsd", Rule: "a <= b", Backlog: 8, Somaxconn: 4096,
		}},
	}, 99)
	if want := (Info{"tcplab0", 99, "http, accept off; 192.0.2.2:80 bsd: a <= b; backlog 8, somaxconn 4096"}); info != want {
		t.Errorf("%+v, want %+v", info, want)
	}
}

// A packet with its comments may be larger than any buffer.
func TestLargeBlocks(t *testing.T) {
	for _, n := range []int{60_000, 65_000} {
		e := newEncoder(t)
		p := packet(n)
		for range 1000 {
			p.Events = append(p.Events, event(handshake.Expired, 5000))
		}
		stream := slices.Concat(e.Header(), encode(t, e, packet(0)), encode(t, e, p), encode(t, e, packet(0)), e.End())
		if got := packets(t, bytes.NewReader(stream)); got != 3 {
			t.Errorf("%d packets, want 3", got)
		}
		if !bytes.Contains(stream, p.Data) {
			t.Error("the packet is not in the stream")
		}
	}
}

// Whatever is lost, the totals have it.
func TestTotals(t *testing.T) {
	e := newEncoder(t)
	p := packet(0)
	p.Lost = 3
	encode(t, e, p)
	if got := e.String(); got != "1 packets captured, 3 lost" {
		t.Errorf("%q", got)
	}
}
