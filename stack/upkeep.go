package stack

import (
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"tcplab/listener/segment"
)

// upkeep looks at all connections again and again, in a goroutine of its own:
// it ends those whose client does nothing any more, and takes back memory that
// they no longer need.
type upkeep struct {
	s     *Stack
	bell  chan struct{} // capacity 1: the timeouts have changed; never closed
	ended [2]ended      // by endReason
}

// endReason is why a connection was ended that its client did not end.
type endReason int

const (
	userTimeout endReason = iota
	keepaliveTimeout
)

var endReasons = [...]string{
	userTimeout:      "nothing was acknowledged for the time of user-timeout",
	keepaliveTimeout: "the client answered neither keepalive probes nor retransmissions",
}

// ended counts the connections that were ended for a reason, for the log.
type ended struct {
	count atomic.Uint64
	last  atomic.Pointer[segment.Tuple]
	told  uint64 // of count
}

const (
	longestRound  = time.Second
	shortestRound = 20 * time.Millisecond
)

func (u *upkeep) init(s *Stack) { u.s, u.bell = s, make(chan struct{}, 1) }

func (u *upkeep) ring() {
	select {
	case u.bell <- struct{}{}:
	default:
	}
}

// run ends with the adopter.
func (u *upkeep) run() {
	defer u.s.workers.Done()
	timer := time.NewTimer(longestRound)
	defer timer.Stop()
	for {
		select {
		case <-u.s.adopter.quit:
			return
		case <-u.bell:
		case <-timer.C:
		}
		timeouts := u.s.timeouts.Load()
		u.round(timeouts, time.Now())
		u.log()
		next := longestRound
		if timeouts.User > 0 {
			next = min(max(timeouts.User/8, shortestRound), longestRound)
		}
		timer.Reset(next)
	}
}

// round looks at each connection once.
func (u *upkeep) round(t *ClientTimeouts, now time.Time) {
	for _, f := range u.s.flows.all() {
		ep := f.endpoint.Load()
		if ep == nil || f.endpointState() == tcp.StateTimeWait {
			continue
		}
		stalled := f.stall.observe(now, f.sndUna.Load(), f.sendQ() > 0)
		if t.User > 0 && stalled >= t.User {
			u.note(userTimeout, f)
			ep.Abort()
			continue
		}
		if f.nothingReceived(ep) {
			f.receive.shrink(now)
		}
	}
}

// note counts a connection that is ended.
func (u *upkeep) note(why endReason, f *flow) {
	u.s.counters.add(AbortsOnTimeout)
	u.ended[why].last.Store(&f.tuple)
	u.ended[why].count.Add(1)
}

// log tells of the connections that were ended since it was called last: one line
// for each reason, however many there were.
func (u *upkeep) log() {
	for why := range u.ended {
		e := &u.ended[why]
		count := e.count.Load()
		if count == e.told {
			continue
		}
		u.s.log.Warn("connections reset", "reason", endReasons[why], "connections", count-e.told, "last", *e.last.Load())
		e.told = count
	}
}

// timedOut resets a connection that netstack has given up without a word: as
// keepalive went unanswered, or the last retransmission. Linux sends a RST then
// (tcp_keepalive_timer); a client that is alive after all learns of it.
func (f *flow) timedOut() {
	f.s.upkeep.note(keepaliveTimeout, f)
	f.port.Send(&segment.Segment{
		Tuple: f.tuple, Seq: f.sndNxt.Load(), Ack: f.rcvNxt.Load(), Flags: segment.RST | segment.ACK,
	})
}
