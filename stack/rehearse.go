package stack

import (
	"errors"
	"net/netip"
	"time"

	"tcplab/listener/segment"
)

// rehearsalTimeout is how long netstack may take to answer the rehearsed SYN.
const rehearsalTimeout = adoptionTimeout

// The clients of the rehearsal, from the blocks set aside for benchmarks (RFC
// 2544, RFC 5180): they never exist, and nothing is sent to them.
var (
	rehearsalClient4 = netip.MustParseAddrPort("198.18.0.1:1")
	rehearsalClient6 = netip.MustParseAddrPort("[2001:2::1]:1")
)

// rehearse plays the beginning of a handshake with netstack at each address and
// keeps what it offers: what our own SYN-ACKs may promise.
func (p *Port) rehearse() error {
	for _, addr := range p.s.addrs {
		client, at := rehearsalClient6, 1
		if addr.Addr().Is4() {
			client, at = rehearsalClient4, 0
		}
		promise, err := p.s.rehearse(p, segment.NewTuple(client, netip.AddrPortFrom(addr.Addr(), p.number)))
		if err != nil {
			return err
		}
		p.promises[at] = promise
	}
	return nil
}

func (s *Stack) rehearse(p *Port, tuple segment.Tuple) (segment.Promise, error) {
	answers := make(chan segment.Segment, 1)
	f := &flow{s: s, port: p, tuple: tuple, started: time.Now()}
	f.send.pool, f.receive.pool = s.memory, s.memory
	f.onSYNACK = func(synACK *segment.Segment) {
		select {
		case answers <- *synACK:
		default: // netstack repeats itself
		}
	}
	s.flows.put(f)
	defer func() {
		s.forget(f)
		f.end()
		s.flows.remove(f)
	}()
	s.link.deliver(segment.AppendRequest(nil, &segment.Segment{
		Tuple: tuple, Flags: segment.SYN, Window: 65535,
		Options: segment.Options{
			MSS: 1460, HasMSS: true, HasWindowScale: true, WindowScale: 7,
			SACKPermitted: true, HasTimestamps: true, TSVal: 1,
		},
	}))
	select {
	case a := <-answers:
		return segment.Promise{
			MSS:            a.Options.MSS,
			Window:         a.Window,
			WindowScale:    a.Options.WindowScale,
			HasWindowScale: a.Options.HasWindowScale,
			SACKPermitted:  a.Options.SACKPermitted,
			Timestamps:     a.Options.HasTimestamps,
		}, nil
	case <-time.After(rehearsalTimeout):
		return segment.Promise{}, errors.New("netstack did not answer the rehearsed SYN: is the address its own?")
	}
}
