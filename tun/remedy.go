package tun

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tcplab/internal/rtnetlink"
)

// byRule: one that is about the endpoint's subnet goes; beside one that is about
// more, the subnet gets one that comes before it.
func (w *wrongWay) byRule(rule rtnetlink.Rule) string {
	text := fmt.Sprintf("a rule takes packets for %v, which %s: ip %srule ", w.to.Addr(), w.where(), w.six())
	if rule.To.Bits() < w.host.Bits() && rule.Pref > 0 {
		return text + fmt.Sprintf("add to %v lookup main pref %d", w.host.Masked(), rule.Pref-1)
	}
	action := fmt.Sprintf("lookup %d", rule.Table)
	if kind, ok := typeNames[rule.Action]; ok { // the actions that refuse have the numbers of the routes
		action = kind
	}
	return text + fmt.Sprintf("del pref %d to %v %s", rule.Pref, rule.To, action)
}

// byRoute: it goes, and the interface's own comes back if it was replaced.
func (w *wrongWay) byRoute(r rtnetlink.Route) string {
	text := fmt.Sprintf("another route, %s, takes packets for %v, which %s: ip %sroute del %s",
		r.Dst, w.to.Addr(), w.where(), w.six(), w.spec(r))
	if _, there := w.addr(w.host); there && w.link.Flags&1 != 0 && !w.routed() {
		text += " && " + w.add("add")
	}
	return text
}

// spec is a route as "ip route del" takes it.
func (w *wrongWay) spec(r rtnetlink.Route) string {
	var b strings.Builder
	if kind, ok := typeNames[r.Type]; ok {
		b.WriteString(kind + " ")
	}
	fmt.Fprintf(&b, "%v", r.Dst)
	if len(r.Out) == 1 && errorOf[r.Type] == 0 {
		fmt.Fprintf(&b, " dev %s", w.name(r.Out[0]))
	}
	if r.Table != unix.RT_TABLE_MAIN {
		fmt.Fprintf(&b, " table %d", r.Table)
	}
	if r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

var typeNames = map[int]string{
	unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast", unix.RTN_MULTICAST: "multicast",
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
}

// routed reports whether the interface's own route to the subnet is there.
func (w *wrongWay) routed() bool {
	return slices.ContainsFunc(w.routes, func(r rtnetlink.Route) bool {
		return r.Table == unix.RT_TABLE_MAIN && r.Dst == w.host.Masked() && w.ours(r)
	})
}

// add is the command that gives the interface the route that the kernel made with
// its address.
func (w *wrongWay) add(verb string) string {
	if w.to.Addr().Is6() {
		return fmt.Sprintf("ip -6 route %s %v dev %s proto kernel metric 256", verb, w.host.Masked(), w.link.Name)
	}
	return fmt.Sprintf("ip route %s %v dev %s proto kernel scope link src %v", verb, w.host.Masked(), w.link.Name, w.host.Addr())
}

// where is what becomes of the packets.
func (w *wrongWay) where() string {
	switch w.refused {
	case 0:
	case unix.ENETUNREACH:
		return "have no way"
	case unix.EINVAL:
		return "are dropped"
	default:
		return fmt.Sprintf("are refused (%v)", w.refused)
	}
	if w.route.Type == unix.RTN_LOCAL {
		return "stay on the host"
	}
	var names []string
	for _, out := range w.route.Out {
		names = append(names, w.name(out))
	}
	return "go through " + strings.Join(names, " and ")
}

// name is an interface's, by its number.
func (w *wrongWay) name(index int) string {
	link, err := w.kernel.LinkByIndex(index)
	if err != nil {
		return fmt.Sprintf("number %d", index)
	}
	return link.Name
}

// six is what ip(8) wants to see for IPv6.
func (w *wrongWay) six() string {
	if w.to.Addr().Is6() {
		return "-6 "
	}
	return ""
}
