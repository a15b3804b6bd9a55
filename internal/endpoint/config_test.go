package endpoint_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"tcplab/internal/endpoint"
)

func TestDefaultsAreFine(t *testing.T) {
	cfg := endpoint.Defaults()
	if err := cfg.Check(); err != nil {
		t.Error(err)
	}
	if want := netip.MustParseAddr("192.0.2.2"); cfg.Links[0].Addr != want {
		t.Errorf("endpoint at %v, want %v", cfg.Links[0].Addr, want)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	link := func(host, addr string) func(*endpoint.Config) {
		return func(c *endpoint.Config) {
			c.Links = []endpoint.Link{{Host: netip.MustParsePrefix(host), Addr: netip.MustParseAddr(addr)}}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*endpoint.Config)
		want   string
	}{
		{"no profile", func(c *endpoint.Config) { c.Profile = nil }, "no profile given: take one of"},
		{"no port", func(c *endpoint.Config) { c.Ports = nil }, "no port given"},
		{"port 0", func(c *endpoint.Config) { c.Ports = []uint16{0} }, "port 0: give a port from 1 to 65535"},
		{"port twice", func(c *endpoint.Config) { c.Ports = []uint16{80, 81, 80} }, "port 80 is given twice"},
		{"no link", func(c *endpoint.Config) { c.Links = nil }, "no address given"},
		{"no host", func(c *endpoint.Config) { c.Links[0].Host = netip.Prefix{} }, "the host's address is missing"},
		{"no addr", func(c *endpoint.Config) { c.Links[0].Addr = netip.Addr{} }, "the endpoint's address is missing"},
		{"two of a kind", func(c *endpoint.Config) { c.Links = append(c.Links, c.Links[0]) }, "a second address of its IP version"},
		{"outside", link("192.0.2.1/24", "192.0.3.2"), "endpoint 192.0.3.2 is outside the host's subnet 192.0.2.0/24"},
		{"the host's own", link("192.0.2.1/24", "192.0.2.1"), "192.0.2.1 is given for both"},
		{"other version", link("192.0.2.1/24", "2001:db8::2"), "different IP versions"},
		{"no room", link("192.0.2.1/32", "192.0.2.1"), "no room for the endpoint"},
		{"network", link("192.0.2.1/24", "192.0.2.0"), "the endpoint's address 192.0.2.0 is the address of the network itself"},
		{"broadcast", link("192.0.2.1/24", "192.0.2.255"), "is the broadcast address"},
		{"host is network", link("192.0.2.0/24", "192.0.2.2"), "the host's address 192.0.2.0 is the address of the network itself"},
		{"host is broadcast", link("192.0.2.7/29", "192.0.2.2"), "the host's address 192.0.2.7 is the broadcast address"},
		{"multicast", link("224.0.0.1/24", "224.0.0.2"), "a multicast address"},
		{"loopback", link("127.0.0.1/8", "127.0.0.2"), "a loopback address"},
		{"unspecified", link("0.0.0.0/8", "0.0.0.2"), "the unspecified address"},
		{"routers' anycast", link("2001:db8::1/64", "2001:db8::"), "routers' anycast address"},
		{"app", func(c *endpoint.Config) { c.App = "ftp" }, `unknown application "ftp": known are http`},
		{"workers", func(c *endpoint.Config) { c.Workers = -1 }, "workers -1"},
		{"work", func(c *endpoint.Config) { c.Work = -time.Second }, "work -1s"},
		{"name", func(c *endpoint.Config) { c.Dev = "a-name-that-is-too-long" }, "at most 15"},
		{"MTU", func(c *endpoint.Config) { c.MTU = 100 }, "MTU 100"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := endpoint.Defaults()
			test.change(&cfg)
			if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if _, err := endpoint.Up(cfg); err == nil {
				t.Error("and yet it comes up")
			}
		})
	}
}

func TestAddressesThatAreFine(t *testing.T) {
	for _, link := range [][2]string{
		{"192.0.2.1/31", "192.0.2.0"}, // RFC 3021
		{"198.51.100.200/25", "198.51.100.129"},
		{"2001:db8:77::1/64", "2001:db8:77::2"},
		{"2001:db8::1/127", "2001:db8::"}, // RFC 6164
	} {
		cfg := endpoint.Defaults()
		cfg.Links = []endpoint.Link{{Host: netip.MustParsePrefix(link[0]), Addr: netip.MustParseAddr(link[1])}}
		if err := cfg.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestNeighbour(t *testing.T) {
	for host, want := range map[string]string{
		"192.0.2.1/24":      "192.0.2.2",
		"192.0.2.254/24":    "192.0.2.253",
		"192.0.2.1/31":      "192.0.2.0",
		"2001:db8:77::1/64": "2001:db8:77::2",
	} {
		addr, err := endpoint.Neighbour(netip.MustParsePrefix(host))
		if err != nil || addr.String() != want {
			t.Errorf("beside %s: %v, %v; want %s", host, addr, err, want)
		}
	}
	for _, host := range []string{"192.0.2.1/32", "127.0.0.1/8", "192.0.2.255/24"} {
		if addr, err := endpoint.Neighbour(netip.MustParsePrefix(host)); err == nil {
			t.Errorf("beside %s: %v, want an error", host, addr)
		}
	}
}
