package handshake_test

import (
	"net/netip"
	"testing"
	"time"

	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// synAck is the answer to a first SYN at a time.
func synAck(t *testing.T, k handshake.Key, now time.Duration, tuple segment.Tuple) segment.Segment {
	t.Helper()
	m := handshake.New(handshake.Config{
		Profile: profiles.BSD, Settings: settings(8), Promise4: promise4, Promise6: promise6, Key: k, Subnets: subnets,
	})
	var out handshake.Output
	syn := segment.Segment{Tuple: tuple, Flags: segment.SYN, Options: segment.Options{HasTimestamps: true}}
	m.Segment(now, received(t, syn), &out)
	if len(out.Send) != 1 {
		t.Fatalf("a SYN got %d answers", len(out.Send))
	}
	return out.Send[0]
}

// RFC 6528 section 3: ISN = M + F(localip, localport, remoteip, remoteport,
// secretkey), where M is a timer of 4 microseconds.
func TestISNIsAClockPlusAHashOfTheConnection(t *testing.T) {
	tuple := tupleOf(clients[0])
	isn := func(now time.Duration) uint32 { return synAck(t, key, now, tuple).Seq }
	start := isn(0)
	for _, later := range []time.Duration{
		4 * time.Microsecond, time.Millisecond, time.Second, time.Hour, 4 * time.Hour, // past zero
		100 * 24 * time.Hour,
	} {
		if got, want := isn(later)-start, uint32(later.Microseconds()/4); got != want {
			t.Errorf("after %v the initial sequence number is %d higher, want %d", later, got, want)
		}
	}
	if isn(3*time.Microsecond) != start {
		t.Error("the clock ticks faster than every 4 µs")
	}
}

// Nothing about one connection's number tells another's: each part of the tuple
// and the key change it.
func TestISNDependsOnEveryPartOfTheConnection(t *testing.T) {
	from := netip.MustParseAddrPort
	server := tupleOf(clients[0])
	server.ServerPort = 443
	other := tupleOf(clients[0])
	other.ServerAddr = netip.MustParseAddr("192.0.2.3").As16()
	tuples := []segment.Tuple{
		tupleOf(clients[0]), tupleOf(from("192.0.2.1:40002")), tupleOf(from("192.0.2.3:40001")),
		tupleOf(from("[2001:db8::1]:40001")), tupleOf(from("[2001:db8::1:0]:40001")), server, other,
	}
	numbers := make(map[uint32]segment.Tuple)
	for _, tuple := range tuples {
		seq := synAck(t, key, 0, tuple).Seq
		if twin, taken := numbers[seq]; taken {
			t.Errorf("%v and %v have the same initial sequence number", tuple, twin)
		}
		numbers[seq] = tuple
	}
	for i := range key {
		changed := key
		changed[i] ^= 1
		seq := synAck(t, changed, 0, tuples[0]).Seq
		if twin, taken := numbers[seq]; taken {
			t.Errorf("byte %d of the key makes no difference: same number as %v", i, twin)
		}
		numbers[seq] = tuples[0]
	}
}

// RFC 7323 section 5.4: the timestamp clock is one of milliseconds, with an
// offset that is the same for all connections between two addresses.
func TestTimestampsAreAClockPerPairOfAddresses(t *testing.T) {
	tsval := func(now time.Duration, client string) uint32 {
		return synAck(t, key, now, tupleOf(netip.MustParseAddrPort(client))).Options.TSVal
	}
	start := tsval(0, "192.0.2.1:40001")
	for _, later := range []time.Duration{time.Millisecond, time.Second, 50 * 24 * time.Hour} {
		if got, want := tsval(later, "192.0.2.1:9")-start, uint32(later.Milliseconds()); got != want {
			t.Errorf("after %v TSval is %d higher, want %d", later, got, want)
		}
	}
	if tsval(0, "192.0.2.7:40001") == start {
		t.Error("two clients get the same timestamps")
	}
}
