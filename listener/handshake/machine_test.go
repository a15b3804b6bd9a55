package handshake_test

import (
	"net/netip"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// The endpoint of all tests (RFC 5737, RFC 3849).
var (
	server4 = netip.MustParseAddrPort("192.0.2.2:80")
	server6 = netip.MustParseAddrPort("[2001:db8::2]:80")
	subnets = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64")}
)

// What the TCP behind keeps.
var (
	promise4 = segment.Promise{
		MSS: 1460, Window: 65535, WindowScale: 7, HasWindowScale: true, SACKPermitted: true, Timestamps: true,
	}
	promise6 = segment.Promise{
		MSS: 1440, Window: 64000, WindowScale: 6, HasWindowScale: true, SACKPermitted: true, Timestamps: true,
	}
)

// key makes initial sequence numbers the same in every run.
var key = handshake.Key([]byte("not a secret key"))

// tupleOf is the connection from client to the endpoint.
func tupleOf(client netip.AddrPort) segment.Tuple {
	if client.Addr().Is4() {
		return segment.NewTuple(client, server4)
	}
	return segment.NewTuple(client, server6)
}

// promiseTo is what a SYN-ACK to the client of tuple may offer.
func promiseTo(tuple segment.Tuple) segment.Promise {
	if tuple.Is4() {
		return promise4
	}
	return promise6
}

// settings are those of listen(fd, b) on an otherwise untouched system.
func settings(b int) backlog.Settings {
	return backlog.Settings{Backlog: b, Somaxconn: 4096, MaxSynBacklog: 128}
}

// newMachine listens.
func newMachine(profile *backlog.Profile, s backlog.Settings) *handshake.Machine {
	return handshake.New(handshake.Config{
		Profile: profile, Settings: s, Promise4: promise4, Promise6: promise6, Key: key, Subnets: subnets,
	})
}

// received is s as it arrives: written by its client and parsed.
func received(t rapid.TB, s segment.Segment) *segment.Segment {
	t.Helper()
	var parsed segment.Segment
	if err := segment.Parse(segment.AppendRequest(nil, &s), &parsed); err != nil {
		t.Fatalf("%v is not well-formed: %v", &s, err)
	}
	return &parsed
}
