package syn

import (
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"tcplab/internal/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func instance() *endpoint.Status {
	s := &endpoint.Status{Dev: "tcplab0"}
	for _, l := range endpoint.Defaults().Links {
		s.Links = append(s.Links, endpoint.LinkStatus(l))
	}
	s.Listeners = []endpoint.ListenerStatus{{Addr: netip.MustParseAddrPort("192.0.2.2:80")}}
	return s
}

// Every client is another one, in TEST-NET, and in no subnet of the instance.
func TestSources(t *testing.T) {
	status := instance()
	for _, to := range []string{"192.0.2.2", "2001:db8:77::2"} {
		s := sourcesFor(netip.MustParseAddr(to), status.Links)
		seen := make(map[netip.AddrPort]bool)
		for i := range 100_000 {
			c := s.client(i)
			if seen[c] {
				t.Fatalf("client %d, %v, has been there", i, c)
			}
			seen[c] = true
			if c.Port() < firstPort {
				t.Fatalf("client %v has a reserved port", c)
			}
			for _, l := range status.Links {
				if l.Host.Masked().Contains(c.Addr()) {
					t.Fatalf("client %v is in the instance's subnet %v", c, l.Host)
				}
			}
		}
		if s.all() < most {
			t.Errorf("%d clients for %s, fewer than a call may want", s.all(), to)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for to, want := range map[string]string{
		"192.0.2.1:80":   "is refused",
		"192.0.2.2:81":   "is refused",
		"203.0.113.9:80": "to a running instance of tcplab and to nothing else",
	} {
		c := Config{Count: 1, To: netip.MustParseAddrPort(to)}
		if err := c.Check(instance()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", to, err, want)
		}
	}
	c := Config{Count: 1}
	if err := c.Check(instance()); err != nil || c.To.String() != "192.0.2.2:80" {
		t.Errorf("the first listener is %v, %v", c.To, err)
	}
}
