package endpoint_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
)

// host is a network namespace with an endpoint on an interface, and another
// interface beside it, "other".
type host struct {
	*testing.T
	*netns.Namespace
	endpoint *endpoint.Endpoint
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{T: t, Namespace: newNamespace(t, "home")}
	h.run("ip link add other type veth peer name far && ip link set far up && ip link set other up && " +
		"ip addr add 198.51.100.1/24 dev other && ip addr add 2001:db8:99::1/64 dev other nodad")
	if err := h.Do(func() (err error) { h.endpoint, err = endpoint.Up(endpoint.Defaults()); return }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.endpoint.Close(); err != nil {
			t.Error(err)
		}
	})
	h.reached()
	if changed := h.changed(); len(changed) > 0 {
		t.Fatalf("an interface as it was made has changed: %q", changed)
	}
	return h
}

func newNamespace(t *testing.T, name string) *netns.Namespace {
	t.Helper()
	n, err := netns.New(fmt.Sprintf("tcplab-%d-%s", os.Getpid(), name))
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// run runs a command in the host's namespace.
func (h *host) run(command string) {
	h.Helper()
	if out, err := h.Output(exec.Command("sh", "-ec", command)); err != nil {
		h.Fatalf("%s: %v: %s", command, err, out)
	}
}

func (h *host) changed() []string { return h.endpoint.Status(0).Changed }

var endpoints = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:80"), netip.MustParseAddrPort("[2001:db8:77::2]:80")}

// reached wants clients served at both addresses.
func (h *host) reached() {
	h.Helper()
	for _, addr := range endpoints {
		ctx, cancel := context.WithTimeout(h.Context(), time.Minute)
		conn, err := h.Dial(ctx, addr)
		cancel()
		if err != nil {
			h.Errorf("a client of %v: %v", addr, err)
			continue
		}
		conn.Close()
	}
}

// undo runs what each sentence gives as the remedy.
func (h *host) undo(changed []string) {
	h.Helper()
	for _, sentence := range changed {
		h.run(sentence[strings.LastIndex(sentence, ": ")+2:])
	}
}

// TestChangedAndUndone changes the interface and the host's routes as others do:
// the status says so, a command that it gives undoes each, and the status is
// silent again. Nothing is said of what does no harm.
func TestChangedAndUndone(t *testing.T) {
	for _, test := range []struct {
		name, fault, say string
		harmless         bool // clients of both addresses are served all the same
	}{
		{"renamed", "ip link set tcplab0 name eth7", "tcplab0 is called eth7 now", true},
		{"renamed, its mark removed", "ip link property del dev tcplab0 altname $(ip link show tcplab0 | sed -n 's/.*altname //p'); ip link set tcplab0 name eth7", "tcplab0 is called eth7 now", true},
		{"renamed and down", "ip link set tcplab0 down; ip link set tcplab0 name eth7", "eth7 is down", false},
		{"renamed, address and mtu", "ip link set tcplab0 name eth7; ip addr del 192.0.2.1/24 dev eth7; ip link set eth7 mtu 1400", "taken from eth7", false},
		{"down", "ip link set tcplab0 down", "tcplab0 is down", false},
		{"no carrier", "ip link set tcplab0 carrier off", "no carrier", false},
		{"no queue", "ip link set tcplab0 txqueuelen 0", "queue of tcplab0 holds 0 packets", false},
		{"queueing discipline", "tc qdisc add dev tcplab0 root pfifo limit 1", "queueing discipline", true},
		{"mtu below IPv6", "ip link set tcplab0 mtu 1000", "too small for IPv6", false},
		{"IPv6 off", "sysctl -qw net.ipv6.conf.tcplab0.disable_ipv6=1", "IPv6 is switched off", false},
		{"address", "ip addr del 192.0.2.1/24 dev tcplab0", "address 192.0.2.1/24 was taken", false},
		{"all addresses", "ip addr flush dev tcplab0", "2001:db8:77::1/64 was taken", false},
		{"address with another length", "ip -6 addr del 2001:db8:77::1/64 dev tcplab0; ip addr add 2001:db8:77::1/128 dev tcplab0 nodad", "2001:db8:77::1/64 was taken", false},
		{"address elsewhere", "ip addr del 192.0.2.1/24 dev tcplab0; ip addr add 192.0.2.1/24 dev other", "address 192.0.2.1/24 was taken", false},
		{"subnet elsewhere first", "ip addr del 192.0.2.1/24 dev tcplab0; ip addr add 192.0.2.9/24 dev other; ip addr add 192.0.2.1/24 dev tcplab0", "go through other", false},
		{"the endpoint's address", "ip addr add 192.0.2.2/32 dev other", "has the endpoint's address 192.0.2.2 itself, on other", false},
		{"the endpoint's address, IPv6", "ip addr add 2001:db8:77::2/128 dev lo", "itself, on lo", false},
		{"local route", "ip route add local 192.0.2.2 dev lo", "stay on the host", false},
		{"more specific route", "ip route add 192.0.2.2 dev other", "go through other", false},
		{"more specific route, IPv6", "ip -6 route add 2001:db8:77::2 dev other", "go through other", false},
		{"half of the subnet", "ip route add 192.0.2.0/25 via 198.51.100.9", "192.0.2.0/25", false},
		{"prepended route", "ip route prepend 192.0.2.0/24 dev other", "go through other", false},
		{"replaced route", "ip route replace 192.0.2.0/24 dev other", "go through other", false},
		{"multipath route", "ip route add 192.0.2.2 nexthop dev tcplab0 nexthop dev other", "other", false},
		{"route gone", "ip route del 192.0.2.0/24", "is gone", false},
		{"route gone, IPv6", "ip -6 route del 2001:db8:77::/64 dev tcplab0", "is gone", false},
		{"route gone beside a default one", "ip route add default via 198.51.100.9; ip route del 192.0.2.0/24", "is gone", false},
		{"blackhole", "ip route add blackhole 192.0.2.2", "are dropped", false},
		{"blackhole in place of the subnet", "ip route replace blackhole 192.0.2.0/24", "are dropped", false},
		{"blackhole, IPv6", "ip -6 route add blackhole 2001:db8:77::2", "2001:db8:77::2", false},
		{"prohibit", "ip route add prohibit 192.0.2.2", "are refused", false},
		{"unreachable, IPv6", "ip -6 route add unreachable 2001:db8:77::2 metric 5", "are refused", false},
		{"rule to a table", "ip route add default dev other table 99; ip rule add to 192.0.2.0/24 lookup 99 pref 50", "a rule takes packets", false},
		{"rule of a VPN", "ip route add default dev other table 99; ip rule add lookup 99 pref 50", "a rule takes packets", false},
		{"rule of a VPN, IPv6", "ip -6 route add default dev other table 99; ip -6 rule add lookup 99 pref 50", "a rule takes packets", false},
		{"rule to a blackhole route", "ip route add blackhole default table 99; ip rule add lookup 99 pref 50", "a rule takes packets", false},
		{"blackhole rule", "ip rule add to 192.0.2.2 blackhole", "are dropped", false},
		{"blackhole rule of a port", "ip rule add to 192.0.2.2 ipproto tcp dport 80 blackhole", "are dropped", false},
		{"prohibit rule, by source", "ip rule add from 192.0.2.1 prohibit", "are refused", false},
		{"prohibit rule, IPv6", "ip -6 rule add to 2001:db8:77::/64 prohibit", "are refused", false},
		{"rule before all", "ip route add default dev other table 99; ip rule add lookup 99 pref 0", "a rule takes packets", false},
		{"inverted rule", "ip rule add not to 203.0.113.0/24 blackhole", "are dropped", false},
		{"blackhole beside rules for others", "ip rule add fwmark 7 blackhole; ip rule add iif other blackhole; ip rule add to 192.0.2.2 ipproto udp blackhole; ip route add blackhole 192.0.2.2", "ip route del blackhole 192.0.2.2/32", false},
		{"several", "ip route add blackhole 192.0.2.2; ip -6 route add 2001:db8:77::2 dev other; ip link set tcplab0 mtu 1400", "mtu of tcplab0", false},

		{name: "another default route", fault: "ip route add default via 198.51.100.9", harmless: true},
		{name: "another address of the subnet", fault: "ip addr add 192.0.2.9/24 dev tcplab0", harmless: true},
		{name: "the host's address again, elsewhere", fault: "ip addr add 192.0.2.1/32 dev other", harmless: true},
		{name: "a rule for others", fault: "ip rule add to 203.0.113.0/24 blackhole; ip rule add fwmark 7 blackhole", harmless: true},
		{name: "a less good route", fault: "ip route append 192.0.2.0/24 dev other; ip route add 192.0.2.0/24 dev other metric 50", harmless: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.run(test.fault)
			changed := h.changed()
			if test.say == "" && len(changed) > 0 {
				t.Errorf("said of what does no harm: %q", changed)
			}
			if text := strings.Join(changed, "\n"); !strings.Contains(text, test.say) {
				t.Fatalf("status says %q, want %q", text, test.say)
			}
			if test.harmless {
				h.reached()
			}
			t.Log(strings.Join(changed, "\n"))
			h.undo(changed)
			if left := h.changed(); len(left) > 0 {
				t.Errorf("after %q: %q", changed, left)
			}
			h.reached()
		})
	}
}

// TestMovedAway: the interface goes to another namespace, renamed there, and comes
// back by the command that the status gives; what it lost is said, and is undone
// likewise. Taken down meanwhile, it is removed where it is.
func TestMovedAway(t *testing.T) {
	h := newHost(t)
	elsewhere := newNamespace(t, "elsewhere")
	move := fmt.Sprintf("ip link set tcplab0 netns %s; ip -n %[1]s link set tcplab0 name lab9", elsewhere.Name())
	h.run(move)
	changed := h.changed()
	if len(changed) != 1 || !strings.Contains(changed[0], "was moved to another network namespace") {
		t.Fatalf("status says %q", changed)
	}
	if h.endpoint.Status(0).Interface != nil {
		t.Error("the status has counters of an interface that is elsewhere")
	}
	h.run("ip -n " + elsewhere.Name() + " link set lab9 netns " + h.Name())
	changed = h.changed()
	if text := strings.Join(changed, "\n"); !strings.Contains(text, "lab9 is down") || !strings.Contains(text, "tcplab0 is called lab9 now") {
		t.Errorf("status says %q", text)
	}
	h.undo(changed)
	if left := h.changed(); len(left) > 0 {
		t.Errorf("after %q: %q", changed, left)
	}
	h.reached()

	h.run(move)
	// Its number here may be another's by then.
	h.run("ip link add tcplab0 type veth peer name tcplab1") // no endpoint's, for all its name
	if changed := h.changed(); len(changed) != 1 || !strings.Contains(changed[0], "was moved to another network namespace") {
		t.Errorf("with another interface of its name: %q", changed)
	}
	h.run("ip link add index $(ip -o -n " + elsewhere.Name() + " link show lab9 | cut -d: -f1) name squatter type veth peer name squatted")
	if err := h.endpoint.Close(); err != nil {
		t.Errorf("closing it there: %v", err)
	}
	if out, err := elsewhere.Output(exec.Command("ip", "link", "show", "lab9")); err == nil {
		t.Errorf("it is still there: %s", out)
	}
}
