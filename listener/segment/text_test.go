package segment_test

import (
	"testing"

	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

func TestSegmentReadsAsTcpdumpWouldSayIt(t *testing.T) {
	s := example(tuples["IPv4"])
	const want = "192.0.2.1:40001 > 192.0.2.2:80 [PSH|ACK] seq 16909060 ack 4294901244 win 64240 len 7" +
		" mss 1460 sackOK TS val 100 ecr 200 wscale 7"
	if got := s.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s = segment.Segment{Tuple: tuples["IPv6"], Seq: 1, Ack: 2, Flags: segment.RST}
	if got, want := s.String(), "[2001:db8::1]:40001 > [2001:db8::2]:80 [RST] seq 1 win 0 len 0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFlags(t *testing.T) {
	for flags, want := range map[segment.Flags]string{
		0:                         "none",
		segment.SYN:               "SYN",
		segment.SYN | segment.ACK: "SYN|ACK",
		0xff:                      "FIN|SYN|RST|PSH|ACK|URG|ECE|CWR",
	} {
		if got := flags.String(); got != want {
			t.Errorf("flags %#02x: %q, want %q", uint8(flags), got, want)
		}
	}
	both := segment.SYN | segment.ACK
	if !both.Has(both) || segment.SYN.Has(both) || !segment.SYN.Any(both) || segment.RST.Any(both) {
		t.Error("Has wants all bits, Any wants one")
	}
}

func TestTupleKeepsAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tuple := drawTuple(t)
		switch {
		case segment.NewTuple(tuple.Client(), tuple.Server()) != tuple:
			t.Fatalf("%v is not made of its own addresses", tuple)
		case segment.NewTuple(tuple.Server(), tuple.Client()) != tuple.Reverse():
			t.Fatalf("reversed %v is %v", tuple, tuple.Reverse())
		case tuple.Reverse().Reverse() != tuple:
			t.Fatalf("%v reversed twice is %v", tuple, tuple.Reverse().Reverse())
		case tuple.Is4() != tuple.Client().Addr().Is4():
			t.Fatalf("%v: Is4 is %v", tuple, tuple.Is4())
		}
	})
}
