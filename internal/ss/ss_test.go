package ss

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"tcplab/internal/endpoint"
)

var sockets = []endpoint.Socket{
	{State: "LISTEN", RecvQ: 9, SendQ: 8, Local: addr("[::]:80"), Addrs: []netip.AddrPort{addr("192.0.2.2:80"), addr("[2001:db8::2]:80")}},
	{State: "SYN-RECV", Local: addr("192.0.2.2:80"), Peer: addr("203.0.113.9:1024"), Retransmits: 2, TimerMS: 3224},
	{State: "ESTAB", RecvQ: 78, Local: addr("192.0.2.2:80"), Peer: addr("192.0.2.1:40001")},
	{State: "TIME-WAIT", Local: addr("[2001:db8::2]:80"), Peer: addr("[2001:db8::1]:5")},
	{State: "CLOSE-WAIT", SendQ: 1234567, Local: addr("[2001:db8::2]:80"), Peer: addr("[2001:db8::1]:6")},
}

func addr(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		options Options
		show    []endpoint.Socket
		want    string
	}{
		{Options{Timers: true}, sockets, "" +
			"State      Recv-Q Send-Q  Local Address:Port  Peer Address:Port  Process\n" +
			"LISTEN     9      8                   *:80               *:*\n" +
			"SYN-RECV   0      0           192.0.2.2:80     203.0.113.9:1024  timer:(on,3.224sec,2)\n" +
			"ESTAB      78     0           192.0.2.2:80       192.0.2.1:40001\n" +
			"TIME-WAIT  0      0       [2001:db8::2]:80   [2001:db8::1]:5\n" +
			"CLOSE-WAIT 0      1234567 [2001:db8::2]:80   [2001:db8::1]:6\n"},
		{Options{NoHeader: true}, sockets[1:2], "SYN-RECV 0      0      192.0.2.2:80 203.0.113.9:1024\n"},
		{Options{}, nil, "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n"},
		{Options{NoHeader: true}, nil, ""},
	} {
		var b strings.Builder
		if err := Write(&b, test.show, test.options); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); got != test.want {
			t.Errorf("got\n%swant\n%s", got, test.want)
		}
	}
}

func TestTimer(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ms", 800 * time.Millisecond: "800ms", time.Second: "1sec", 1224 * time.Millisecond: "1.224sec",
		12300 * time.Millisecond: "12sec", 63 * time.Second: "1min3sec", 2 * time.Minute: "2min", 700 * time.Second: "11min",
	} {
		if got := timer(d); got != want {
			t.Errorf("timer(%v) is %s, want %s", d, got, want)
		}
	}
}

func TestFilter(t *testing.T) {
	for _, test := range []struct {
		filter Filter
		args   string
		want   string
	}{
		{Filter{}, "", "SYN-RECV ESTAB CLOSE-WAIT"},
		{Filter{Listening: true}, "", "LISTEN"},
		{Filter{All: true}, "", "LISTEN SYN-RECV ESTAB TIME-WAIT CLOSE-WAIT"},
		{Filter{Listening: true, All: true}, "", "LISTEN SYN-RECV ESTAB TIME-WAIT CLOSE-WAIT"},
		{Filter{IPv4: true}, "", "SYN-RECV ESTAB"},
		{Filter{IPv6: true, All: true}, "", "LISTEN TIME-WAIT CLOSE-WAIT"},
		{Filter{IPv4: true, IPv6: true}, "", "SYN-RECV ESTAB CLOSE-WAIT"},
		{Filter{}, "state time-wait", "TIME-WAIT"},
		{Filter{}, "state time-wait state SYN-RECV", "SYN-RECV TIME-WAIT"},
		{Filter{}, "exclude listening exclude bucket", "ESTAB CLOSE-WAIT"},
		{Filter{}, "state synchronized exclude established", "TIME-WAIT CLOSE-WAIT"},
		{Filter{}, "state all", "LISTEN SYN-RECV ESTAB TIME-WAIT CLOSE-WAIT"},
	} {
		if err := test.filter.Parse(strings.Fields(test.args)); err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, s := range test.filter.Select(slices.Clone(sockets)) {
			states = append(states, s.State)
		}
		if only := test.filter.ListeningOnly(); only != (test.want == "LISTEN") {
			t.Errorf("%+v %s: listening sockets only: %v", test.filter, test.args, only)
		}
		if got := strings.Join(states, " "); got != test.want {
			t.Errorf("%+v %s: %s, want %s", test.filter, test.args, got, test.want)
		}
	}
}
