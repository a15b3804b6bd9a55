package tun

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"tcplab/internal/rtnetlink"
)

// router is what is asked of the kernel: a rtnetlink.Conn.
type router interface {
	Lookup(to netip.AddrPort, from netip.Addr) (rtnetlink.Route, error)
	Match(to netip.AddrPort, from netip.Addr) (rtnetlink.Route, error)
	Routes(like netip.Addr) ([]rtnetlink.Route, error)
	Rules(like netip.Addr) ([]rtnetlink.Rule, error)
	LinkByIndex(index int) (*rtnetlink.Link, error)
}

// way says why a client on the host does not reach the endpoint through the
// interface, as the kernel decides (ip-route(8), ip-rule(8)); "" if it does, or if
// that follows from what linkChanges and addrChanges say.
func (f *found) way(kernel router, to netip.AddrPort) (change string, err error) {
	host := f.hostOf(to.Addr())
	route, err := kernel.Lookup(to, netip.Addr{})
	if err == nil && f.ours(route) { // connect(2) looks again when it has its source
		from := route.Src
		if route, err = kernel.Lookup(to, from); err == nil && f.ours(route) {
			route, err = kernel.Match(to, from) // a multipath route may lead here and elsewhere
			if err == nil && f.ours(route) {
				return "", nil
			}
		}
	} else if err == nil {
		if match, matchErr := kernel.Match(to, netip.Addr{}); matchErr == nil {
			route = match
		}
	}
	var refused syscall.Errno
	if err != nil && !errors.As(err, &refused) {
		return "", err
	}
	routes, err := kernel.Routes(to.Addr())
	if err != nil {
		return "", err
	}
	rules, err := kernel.Rules(to.Addr())
	if err != nil {
		return "", err
	}
	w := wrongWay{found: f, kernel: kernel, to: to, host: host, route: route, refused: refused, routes: routes, rules: rules}
	return w.text(), nil
}

// ours reports whether a route leads into the interface and nowhere else.
func (f *found) ours(route rtnetlink.Route) bool {
	return route.Type == unix.RTN_UNICAST && len(route.Out) > 0 &&
		!slices.ContainsFunc(route.Out, func(out int) bool { return out != f.link.Index })
}

// hostOf is the host's address in the subnet of an endpoint's.
func (f *found) hostOf(peer netip.Addr) netip.Prefix {
	for _, host := range f.made.host {
		if host.Contains(peer) {
			return host
		}
	}
	return netip.PrefixFrom(peer, peer.BitLen())
}

// wrongWay is what is known of packets that do not reach the endpoint.
type wrongWay struct {
	*found
	kernel  router
	to      netip.AddrPort
	host    netip.Prefix
	route   rtnetlink.Route // where they go
	refused syscall.Errno   // or why they go nowhere
	routes  []rtnetlink.Route
	rules   []rtnetlink.Rule
}

func (w *wrongWay) text() string {
	if w.refused == 0 && w.route.Type == unix.RTN_LOCAL {
		return w.local()
	}
	if rule, ok := w.rule(); ok {
		return w.byRule(rule)
	}
	if route, ok := w.taker(); ok {
		return w.byRoute(route)
	}
	if w.routed() {
		return fmt.Sprintf("the host does not send packets for %v through %s (%v): see 'ip route get %v ipproto tcp dport %d'",
			w.to.Addr(), w.link.Name, w.where(), w.to.Addr(), w.to.Port())
	}
	if _, there := w.addr(w.host); !there || w.link.Flags&1 == 0 || !w.link.Carrier {
		return "" // the route comes back with these
	}
	return fmt.Sprintf("the route to %v through %s is gone, packets for %v %s: %s",
		w.host.Masked(), w.link.Name, w.to.Addr(), w.where(), w.add("add"))
}

// local: the host has the endpoint's address for itself.
func (w *wrongWay) local() string {
	for _, addr := range w.addrs {
		if addr.Addr() == w.to.Addr() {
			name := w.name(addr.Index)
			return fmt.Sprintf("the host has the endpoint's address %v itself, on %s, and answers in its place: ip addr del %v dev %s",
				w.to.Addr(), name, addr.Prefix, name)
		}
	}
	return w.byRoute(w.route)
}

// rule is the rule of others' that decides: one that refuses, or one that looks
// into a table with a route of its own.
func (w *wrongWay) rule() (rtnetlink.Rule, bool) {
	standard := func(table int) bool {
		return table == unix.RT_TABLE_MAIN || table == unix.RT_TABLE_LOCAL || table == unix.RT_TABLE_DEFAULT
	}
	for _, rule := range w.rules {
		if !rule.Matches(w.to, w.host.Addr()) {
			continue
		}
		switch rule.Action {
		case unix.FR_ACT_BLACKHOLE, unix.FR_ACT_UNREACHABLE, unix.FR_ACT_PROHIBIT:
			if errorOf[rule.Action] == w.refused {
				return rule, true
			}
		case unix.FR_ACT_TO_TBL:
			if standard(rule.Table) {
				continue
			}
			if w.refused == 0 && rule.Table == w.route.Table {
				return rule, true
			}
			if w.refused != 0 && slices.ContainsFunc(w.routes, func(r rtnetlink.Route) bool {
				return r.Table == rule.Table && r.Dst.Contains(w.to.Addr()) && errorOf[r.Type] == w.refused
			}) {
				return rule, true
			}
		}
	}
	return rtnetlink.Rule{}, false
}

// errorOf is what a look-up fails with at a route or a rule of a type
// (fib_props in net/ipv4/fib_semantics.c).
var errorOf = map[int]syscall.Errno{
	unix.RTN_BLACKHOLE:   unix.EINVAL,
	unix.RTN_UNREACHABLE: unix.EHOSTUNREACH,
	unix.RTN_PROHIBIT:    unix.EACCES,
}

// taker is the route that comes before the interface's own.
func (w *wrongWay) taker() (taker rtnetlink.Route, ok bool) {
	if w.refused == 0 {
		return w.route, w.route.Dst.Bits() >= w.host.Bits()
	}
	for _, r := range w.routes {
		if errorOf[r.Type] != w.refused || !r.Dst.Contains(w.to.Addr()) || r.Dst.Bits() < w.host.Bits() {
			continue
		}
		if !ok || r.Dst.Bits() > taker.Dst.Bits() || r.Dst.Bits() == taker.Dst.Bits() && r.Metric < taker.Metric {
			taker, ok = r, true
		}
	}
	return taker, ok
}
