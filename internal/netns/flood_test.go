package netns

import (
	"context"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A flood reaches a kernel, SYN for SYN, over IPv4 and IPv6.
func TestFlood(t *testing.T) {
	for _, to := range []string{"127.0.0.1:8080", "[::1]:8080"} {
		n := newNamespace(t, "")
		if err := n.Sysctl("net/ipv4/tcp_syncookies", "0"); err != nil {
			t.Fatal(err)
		}
		f := Flood{To: netip.MustParseAddrPort(to), Rate: 2000, Count: 300}
		listener, err := n.Listen(f.To, 16)
		if err != nil {
			t.Fatalf("listening at %v: %v", f.To, err)
		}
		sent, err := n.Flood(patience(t), f)
		if err != nil || sent != f.Count {
			t.Errorf("%v: sent %d, %v; want %d", f.To, sent, err, f.Count)
		}
		if got := inSegs(t, n); got < f.Count {
			t.Errorf("%v: the kernel has seen %d segments, want %d", f.To, got, f.Count)
		}
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	}
}

// inSegs is Tcp InSegs of the namespace.
func inSegs(t *testing.T, n *Namespace) int {
	t.Helper()
	var text []byte
	if err := n.Do(func() error {
		var err error
		text, err = os.ReadFile("/proc/thread-self/net/snmp")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "InSegs" {
				n, _ := strconv.Atoi(fields[i])
				return n
			}
		}
	}
	t.Fatal("no InSegs in /proc/net/snmp")
	return 0
}

func TestFloodEndsWithItsContext(t *testing.T) {
	n := newNamespace(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if sent, err := n.Flood(ctx, Flood{To: loopback, Rate: 1000}); err != nil {
		t.Errorf("sent %d, %v; want no error", sent, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if sent, err := n.Flood(ctx, Flood{To: loopback}); err != nil || sent == 0 {
		t.Errorf("without a rate: sent %d, %v; want some, and no error", sent, err)
	}
}

func TestFloodClientsDiffer(t *testing.T) {
	for _, to := range []string{"192.0.2.2:80", "[2001:db8:77::2]:80"} {
		f := Flood{To: netip.MustParseAddrPort(to)}
		seen := make(map[netip.AddrPort]bool)
		for i := range 200_000 {
			c := f.Client(i)
			if seen[c] {
				t.Fatalf("%v comes twice", c)
			}
			seen[c] = true
		}
	}
}
