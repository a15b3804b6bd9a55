package stack

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
)

// reopens reports whether a SYN may open a new connection while this one is in
// TIME-WAIT: its sequence number is beyond the last one, or its timestamp newer
// (RFC 9293 section 3.10.7.4, RFC 6191; tcp_timewait_state_process).
func (f *flow) reopens(ip *segment.IP) bool {
	var syn segment.Segment
	if err := segment.ParseTCP(ip, &syn); err != nil {
		return false
	}
	if f.t.timestamps && syn.Options.HasTimestamps {
		recent := f.tsRecent.Load()
		if segment.Before(syn.Options.TSVal, recent) {
			return false
		}
		if segment.After(syn.Options.TSVal, recent) {
			return true
		}
	}
	return segment.After(syn.Seq, f.rcvEnd.Load()-1)
}

// oowInterval is how often a segment outside the window is answered at most
// (net.ipv4.tcp_invalid_ratelimit).
const oowInterval = 500 * time.Millisecond

// refuse answers a SYN that opens no new connection while this one is in
// TIME-WAIT: with an ACK, to which a client that knows nothing of the old
// connection sends a RST, and then its SYN again (RFC 9293 section 3.10.7.4;
// tcp_timewait_state_process, tcp_timewait_check_oow_rate_limit). Netstack says
// nothing to such a SYN.
func (f *flow) refuse() { f.askACK(ACKsSkippedTimeWait) }

// assassinated reports whether the client has sent an exact RST in TIME-WAIT,
// which ends it (RFC 9293 section 3.10.7.4; tcp_timewait_state_process without
// net.ipv4.tcp_rfc1337).
func (f *flow) assassinated() bool {
	return f.reset.Load() && f.endpointState() == tcp.StateTimeWait
}

// endTimeWait ends TIME-WAIT in netstack, which takes no RST there. The one that
// it sends, being aborted, does not leave.
func (f *flow) endTimeWait() {
	if ep := f.endpoint.Load(); ep != nil {
		ep.Abort()
	}
}
