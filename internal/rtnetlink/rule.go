package rtnetlink

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Rule is a rule of the routing policy database (ip-rule(8)).
type Rule struct {
	Pref     int
	To, From netip.Prefix
	Action   int // unix.FR_ACT_TO_TBL, FR_ACT_BLACKHOLE, …
	Table    int

	inverted bool
	attrs    map[uint16]syscall.NetlinkRouteAttr
}

// Rules are the rules in their order, of the IP version of the address.
func (c *Conn) Rules(like netip.Addr) ([]Rule, error) {
	// struct fib_rule_hdr is a struct rtmsg with an action for a type.
	answers, err := c.dump(unix.RTM_GETRULE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: family(like)}})
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(answers))
	for _, payload := range answers {
		if len(payload) < unix.SizeofRtMsg {
			return nil, fmt.Errorf("rtnetlink: a rule in %d bytes", len(payload))
		}
		header := nl.DeserializeRtMsg(payload)
		attrs, err := nl.ParseRouteAttrAsMap(payload[unix.SizeofRtMsg:])
		if err != nil {
			return nil, err
		}
		rules = append(rules, Rule{
			Pref:     number(attrs[unix.FRA_PRIORITY], 0),
			To:       prefix(header.Family, attrs[unix.FRA_DST].Value, header.Dst_len),
			From:     prefix(header.Family, attrs[unix.FRA_SRC].Value, header.Src_len),
			Action:   int(header.Type),
			Table:    number(attrs[unix.FRA_TABLE], int(header.Table)),
			inverted: header.Flags&unix.FIB_RULE_INVERT != 0,
			attrs:    attrs,
		})
	}
	return rules, nil
}

// Matches reports whether the rule is for a TCP segment that Lookup asks about
// (fib_rule_match in net/core/fib_rules.c).
func (r *Rule) Matches(to netip.AddrPort, from netip.Addr) bool {
	matches := r.To.Contains(to.Addr()) && (r.From.Bits() == 0 || r.From.Contains(from)) && r.matchesRest(int(to.Port()))
	return matches != r.inverted
}

// matchesRest looks at what is not an address. The segment has no mark, and an
// interface only later.
func (r *Rule) matchesRest(port int) bool {
	mark, mask := number(r.attrs[unix.FRA_FWMARK], 0), number(r.attrs[unix.FRA_FWMASK], -1)
	if mark&mask != 0 {
		return false
	}
	iif, there := r.attrs[unix.FRA_IIFNAME]
	if there && strings.TrimRight(string(iif.Value), "\x00") != "lo" {
		return false
	}
	for _, never := range []uint16{unix.FRA_OIFNAME, unix.FRA_L3MDEV, unix.FRA_TUN_ID, unix.FRA_SPORT_RANGE} {
		if attr, there := r.attrs[never]; there && strings.Trim(string(attr.Value), "\x00") != "" {
			return false
		}
	}
	if proto := r.attrs[unix.FRA_IP_PROTO].Value; len(proto) > 0 && proto[0] != 0 && proto[0] != unix.IPPROTO_TCP {
		return false
	}
	native := nl.NativeEndian()
	if ports := r.attrs[unix.FRA_DPORT_RANGE].Value; len(ports) >= 4 {
		if port < int(native.Uint16(ports)) || port > int(native.Uint16(ports[2:])) {
			return false
		}
	}
	if users := r.attrs[unix.FRA_UID_RANGE].Value; len(users) >= 8 {
		uid := uint32(os.Geteuid())
		if uid < native.Uint32(users) || uid > native.Uint32(users[4:]) {
			return false
		}
	}
	return true
}
