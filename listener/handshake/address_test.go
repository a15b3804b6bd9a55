package handshake_test

import (
	"net/netip"
	"testing"

	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// RFC 3021: a subnet of two addresses has no broadcast address; nor have IPv6
// subnets. The last address of every other subnet is its broadcast address.
func TestBroadcastAddressOfEverySubnet(t *testing.T) {
	for _, test := range []struct {
		endpoint, client string
		valid            bool
	}{
		{"192.0.2.2/24", "192.0.2.255", false},
		{"192.0.2.2/24", "192.0.2.254", true},
		{"192.0.2.2/30", "192.0.2.3", false},
		{"192.0.2.2/31", "192.0.2.3", true},
		{"192.0.2.2/32", "192.0.2.3", true},
		{"10.1.2.3/13", "10.7.255.255", false},
		{"10.1.2.3/13", "10.8.0.0", true},
		{"192.0.2.2/24", "240.0.0.1", true}, // as Linux: ipv4_is_lbcast, not ipv4_is_badclass
		{"192.0.2.2/24", "255.255.255.255", false},
		{"192.0.2.2/24", "0.1.2.3", false},
		{"2001:db8::2/64", "2001:db8::ffff:ffff:ffff:ffff", true},
	} {
		subnet := netip.MustParsePrefix(test.endpoint)
		m := handshake.New(handshake.Config{
			Profile: profiles.BSD, Settings: settings(8), Key: key, Subnets: []netip.Prefix{subnet},
		})
		var out handshake.Output
		client, server := netip.MustParseAddr(test.client), subnet.Addr()
		m.Segment(0, received(t, segment.Segment{
			Tuple: segment.NewTuple(netip.AddrPortFrom(client, 1), netip.AddrPortFrom(server, 80)), Flags: segment.SYN,
		}), &out)
		if answered := len(out.Send) == 1; answered != test.valid {
			t.Errorf("a SYN from %s to %s was answered: %v", test.client, test.endpoint, answered)
		}
	}
}
