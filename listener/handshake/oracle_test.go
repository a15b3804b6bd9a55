package handshake_test

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// A rare combination of rules needs more than the usual 100 sequences;
// -rapid.checks on the command line overrides this.
func init() {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
}

// TestMachineAgainstNaive runs generated sequences of arrivals, ACKs, RSTs,
// nonsense, timeouts, accepts and second listens on the machine and on the naive
// implementation, and compares after each what was sent, what happened and what
// is queued. The audit's invariants hold throughout.
func TestMachineAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPair(t)
		t.Repeat(map[string]func(*rapid.T){
			"":            p.compareQueues,
			"arrive":      p.arrive,
			"complete":    p.complete,
			"SYN again":   p.again,
			"reset":       p.reset,
			"odd segment": p.odd,
			"advance":     p.advance,
			"late timer":  p.late,
			"accept":      p.accept,
			"ended":       p.ended,
			"failed":      p.failed,
			"configure":   p.configure,
		})
		p.drain(t)
	})
}

// pair is a machine and the naive one, given the same input.
type pair struct {
	*audit
	naive naive
	gone  []*handshake.Entry // handed over once
}

func newPair(t *rapid.T) *pair {
	p := &pair{}
	profile, s := p.draw(t)
	p.audit = newAudit(t, newMachine(profile, s))
	p.now = time.Duration(rapid.IntRange(1, 10_000).Draw(t, "epoch ms")) * time.Millisecond
	return p
}

// draw draws a profile, a backlog and a schedule, and tells the naive one.
func (p *pair) draw(t *rapid.T) (*backlog.Profile, backlog.Settings) {
	bsd := rapid.Bool().Draw(t, "bsd")
	profile := *profiles.Sum
	if bsd {
		profile = *profiles.BSD
	}
	times := []time.Duration{6 * time.Second, 30 * time.Second, 75 * time.Second}
	if rapid.Bool().Draw(t, "another schedule") {
		times = nil
		at := time.Duration(0)
		for range rapid.IntRange(1, 5).Draw(t, "stages") {
			at += time.Duration(rapid.IntRange(1, 20_000).Draw(t, "wait ms")) * time.Millisecond
			times = append(times, at)
		}
		profile.Schedule.Retransmit, profile.Schedule.Expire = times[:len(times)-1], times[len(times)-1]
	}
	s := backlog.Settings{Backlog: rapid.IntRange(-2, 4).Draw(t, "backlog"), Somaxconn: rapid.IntRange(1, 4).Draw(t, "somaxconn")}
	effective := min(max(s.Backlog, 0), s.Somaxconn)
	if s.Backlog == -1 {
		effective = s.Somaxconn
	}
	p.naive.configure(bsd, effective, times)
	return &profile, s
}

// clients are so few that they meet again.
var clients = []netip.AddrPort{
	netip.MustParseAddrPort("192.0.2.1:40001"), netip.MustParseAddrPort("192.0.2.1:40002"),
	netip.MustParseAddrPort("192.0.2.1:40003"), netip.MustParseAddrPort("192.0.2.7:40001"),
	netip.MustParseAddrPort("198.51.100.1:80"), netip.MustParseAddrPort("203.0.113.255:1"),
	netip.MustParseAddrPort("[2001:db8::1]:40001"), netip.MustParseAddrPort("[2001:db8::1]:40002"),
}

func (p *pair) arrive(t *rapid.T) {
	p.feed(t, segment.Segment{
		Tuple: tupleOf(rapid.SampledFrom(clients).Draw(t, "client")), Flags: segment.SYN,
		Seq: rapid.Uint32().Draw(t, "seq"), Window: rapid.Uint16().Draw(t, "window"), Options: drawOptions(t, 1<<31),
	})
}

// half draws a half-open entry.
func (p *pair) half(t *rapid.T) *naiveEntry {
	if len(p.naive.incomplete) == 0 {
		t.Skip("nothing half-open")
	}
	return rapid.SampledFrom(p.naive.incomplete).Draw(t, "entry")
}

func (p *pair) complete(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{
		Tuple: e.tuple, Flags: segment.ACK, Seq: e.irs + 1, Ack: e.iss + 1, Payload: drawPayload(t),
		Options: segment.Options{HasTimestamps: e.options.HasTimestamps, TSVal: e.tsRecent},
	})
}

func (p *pair) again(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{
		Tuple: e.tuple, Flags: segment.SYN, Seq: e.irs, Payload: drawPayload(t), Options: drawOptions(t, e.tsRecent),
	})
}

func (p *pair) reset(t *rapid.T) {
	e := p.half(t)
	p.feed(t, segment.Segment{Tuple: e.tuple, Flags: segment.RST, Seq: e.irs + 1})
}

// usual are the flags that tell the rules apart.
var usual = []segment.Flags{
	0, segment.SYN, segment.ACK, segment.RST, segment.SYN | segment.ACK, segment.RST | segment.ACK,
	segment.FIN | segment.ACK, segment.SYN | segment.FIN, segment.SYN | segment.RST,
}

// odd draws a segment that may mean anything, near the numbers where the rules
// differ.
func (p *pair) odd(t *rapid.T) {
	s := segment.Segment{
		Flags:   rapid.OneOf(rapid.SampledFrom(usual), rapid.Map(rapid.Uint8(), func(b uint8) segment.Flags { return segment.Flags(b) })).Draw(t, "flags"),
		Window:  rapid.Uint16().Draw(t, "window"),
		Payload: drawPayload(t),
	}
	if rapid.Bool().Draw(t, "stranger") {
		s.Tuple = tupleOf(rapid.SampledFrom(append([]netip.AddrPort{
			netip.MustParseAddrPort("224.0.0.5:1"), netip.MustParseAddrPort("255.255.255.255:1"),
			netip.MustParseAddrPort("192.0.2.255:1"), netip.MustParseAddrPort("192.0.2.2:80"),
			netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("0.0.0.0:1"),
			netip.MustParseAddrPort("[ff02::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:80"),
		}, clients...)).Draw(t, "client"))
		s.Seq, s.Ack = rapid.Uint32().Draw(t, "seq"), rapid.Uint32().Draw(t, "ack")
		s.Options = drawOptions(t, 0)
	} else {
		e := p.half(t)
		s.Tuple = e.tuple
		window := uint32(promiseTo(e.tuple).Window)
		s.Seq = e.irs + rapid.SampledFrom([]uint32{0, 1, 2, 500, window - 1, window, window + 1, window + 2, 1 << 31, 1<<32 - 1, 1<<32 - 2}).Draw(t, "seq")
		s.Ack = e.iss + rapid.SampledFrom([]uint32{1, 1, 1, 0, 2, 1 << 31}).Draw(t, "ack")
		s.Options = drawOptions(t, e.tsRecent)
	}
	p.feed(t, s)
}

func drawPayload(t *rapid.T) []byte {
	return make([]byte, rapid.SampledFrom([]int{0, 0, 0, 1, 2, 1000}).Draw(t, "payload"))
}

// drawOptions draws options, with a timestamp near one.
func drawOptions(t *rapid.T, near uint32) segment.Options {
	o := segment.Options{SACKPermitted: rapid.Bool().Draw(t, "SACK")}
	if o.HasMSS = rapid.Bool().Draw(t, "MSS"); o.HasMSS {
		o.MSS = rapid.Uint16().Draw(t, "MSS value")
	}
	if o.HasWindowScale = rapid.Bool().Draw(t, "scale"); o.HasWindowScale {
		o.WindowScale = rapid.Uint8Range(0, 14).Draw(t, "shift count")
	}
	if o.HasTimestamps = rapid.Bool().Draw(t, "timestamps"); o.HasTimestamps {
		o.TSVal = near + rapid.SampledFrom([]uint32{0, 1, 1000, 1<<32 - 1, 1 << 31}).Draw(t, "TSval")
	}
	return o
}

// feed gives both the same segment.
func (p *pair) feed(t *rapid.T, s segment.Segment) {
	arrived := received(t, s)
	if !p.segment(arrived) {
		t.Skip("the endpoint has it")
	}
	p.naive.segment(p.now, arrived)
	p.compare(t)
	if e := p.out.Adopt; e != nil {
		p.gone = append(p.gone, e)
		p.compareHandover(t, e)
	}
}

// compareHandover holds what the TCP behind is told of a connection against what
// its client said.
func (p *pair) compareHandover(t *rapid.T, e *handshake.Entry) {
	got, want := p.m.Handshake(p.now, e), p.naive.completed[len(p.naive.completed)-1]
	if got.ISS != want.iss || got.SYN.String() != want.handover().String() {
		t.Fatalf("handed over %v, iss %d; want %v, iss %d", &got.SYN, got.ISS, want.handover(), want.iss)
	}
}

// compare holds what the last step sent and said against the naive one, which
// learns initial sequence numbers and clocks from the machine.
func (p *pair) compare(t *rapid.T) {
	p.learn()
	var events []happening
	for _, event := range p.out.Events {
		events = append(events, happening{event.Kind, event.Tuple})
	}
	order := func(a, b happening) int { return cmp.Compare(a.tuple.String(), b.tuple.String()) }
	slices.SortStableFunc(events, order)
	slices.SortStableFunc(p.naive.events, order)
	if !slices.Equal(events, p.naive.events) {
		t.Fatalf("events %v, want %v", events, p.naive.events)
	}
	if sent, want := lines(p.out.Send), lines(p.naive.sent); !slices.Equal(sent, want) {
		t.Fatalf("sent\n%q, want\n%q", sent, want)
	}
	p.naive.sent, p.naive.events = nil, nil
}

// lines describes segments in an order of their own: timers that fire at the
// same time have none.
func lines(segments []segment.Segment) []string {
	var all []string
	for i := range segments {
		all = append(all, segments[i].String())
	}
	return slices.Sorted(slices.Values(all))
}

// learn takes an entry's initial sequence number and timestamp clock from its
// first SYN-ACK.
func (p *pair) learn() {
	for i := range p.out.Send {
		sent := &p.out.Send[i]
		e := p.naive.find(sent.Tuple)
		if e == nil || e.learned || !sent.Flags.Has(segment.SYN|segment.ACK) {
			continue
		}
		e.learned, e.iss, e.clock = true, sent.Seq, sent.Options.TSVal-uint32(p.now.Milliseconds())
		for j := range p.naive.sent {
			if expected := &p.naive.sent[j]; expected.Tuple == e.tuple {
				expected.Seq, expected.Options = e.iss, p.naive.stamped(p.now, e, expected.Options)
			}
		}
	}
}

// compareQueues holds the queues against the slices.
func (p *pair) compareQueues(t *rapid.T) {
	var queued []string
	p.m.Each(func(e *handshake.Entry) bool {
		queued = append(queued, fmt.Sprint(e.Place(), " ", e.Value.Tuple))
		return true
	})
	var want []string
	for _, e := range p.naive.incomplete {
		want = append(want, fmt.Sprint(backlog.Incomplete, " ", e.tuple))
	}
	for _, e := range p.naive.completed {
		want = append(want, fmt.Sprint(backlog.Completed, " ", e.tuple))
	}
	if !slices.Equal(queued, want) {
		t.Fatalf("queued %v, want %v", queued, want)
	}
}

// advance goes on to each deadline within a time, or a little further than all.
func (p *pair) advance(t *rapid.T) {
	end := p.now + time.Duration(rapid.IntRange(1, 100_000).Draw(t, "ms"))*time.Millisecond
	for {
		due := end + 1
		for _, e := range p.naive.incomplete {
			due = min(due, p.naive.deadline(e))
		}
		at, running := p.m.NextDeadline()
		if running != (len(p.naive.incomplete) > 0) || running && at != due && min(at, due) <= end {
			t.Fatalf("next deadline %v, %v; want %v", at, running, due)
		}
		if due > end {
			break
		}
		p.now = max(p.now, due) // a second listen can make it late
		p.fire(t)
	}
	p.now = end
}

// late fires timers once, long after some were due.
func (p *pair) late(t *rapid.T) {
	p.now += time.Duration(rapid.IntRange(1, 200_000).Draw(t, "ms")) * time.Millisecond
	p.fire(t)
}

func (p *pair) fire(t *rapid.T) {
	p.tick()
	p.naive.tick(p.now)
	p.compare(t)
}
