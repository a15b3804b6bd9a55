package netns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/listener/segment"
)

// Flood is a SYN flood: each SYN comes from another client, none of which
// exists. Their addresses are for documentation, and no real network routes
// them: TEST-NET-2 and TEST-NET-3 (RFC 5737), 2001:db8:5::/48 (RFC 3849).
type Flood struct {
	To    netip.AddrPort
	Rate  int // SYNs a second; zero means as fast as it goes
	Count int // SYNs in all; zero means until the context ends
}

// floodTick is how often a flood catches up with its rate.
const floodTick = time.Millisecond

// Flood sends a flood from inside the namespace, and returns how many SYNs it
// sent when it has sent all, or when ctx ends, which is no error. A machine too
// busy for the rate sends less.
func (n *Namespace) Flood(ctx context.Context, f Flood) (sent int, err error) {
	fd, err := n.rawSocket(f.To.Addr())
	if err != nil {
		return 0, fmt.Errorf("making a raw socket: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	to := sockaddr(netip.AddrPortFrom(f.To.Addr(), 0)) // a raw socket has no port (raw(7))
	tick := time.NewTicker(floodTick)
	defer tick.Stop()
	var packet []byte
	for began := time.Now(); ; {
		due := sent + 100
		if f.Rate > 0 {
			due = int(time.Since(began).Seconds() * float64(f.Rate))
		}
		if f.Count > 0 {
			due = min(due, f.Count)
		}
		for ; sent < due && ctx.Err() == nil; sent++ {
			packet = segment.AppendRequest(packet[:0], f.syn(sent))
			if err := unix.Sendto(fd, packet, 0, to); err != nil && !errors.Is(err, unix.ENOBUFS) { // lost, as in any flood
				return sent, fmt.Errorf("sending SYN %d of a flood to %v: %w", sent+1, f.To, err)
			}
		}
		switch {
		case ctx.Err() != nil, f.Count > 0 && sent >= f.Count:
			return sent, nil
		case f.Rate == 0:
			runtime.Gosched()
		default:
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}
}

// hosts4 is how many addresses a flood over IPv4 comes from: .1 to .254 of two
// networks.
const hosts4 = 2 * 254

// Client is the address and port that SYN number i of a flood comes from.
func (f *Flood) Client(i int) netip.AddrPort {
	if f.To.Addr().Is6() {
		host, port := i%(1<<16), uint16(1024+i>>16%60000)
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 5, 14: byte(host >> 8), 15: byte(host)}), port)
	}
	network, host, port := [3]byte{198, 51, 100}, i%hosts4, uint16(1024+i/hosts4%60000)
	if host >= 254 {
		network, host = [3]byte{203, 0, 113}, host-254
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{network[0], network[1], network[2], byte(host + 1)}), port)
}

// syn is SYN number i, as a Linux client would send it.
func (f *Flood) syn(i int) *segment.Segment {
	return &segment.Segment{
		Tuple: segment.NewTuple(f.Client(i), f.To), Seq: uint32(i) * 64000, Flags: segment.SYN, Window: 64240,
		Options: segment.Options{MSS: 1460, HasMSS: true, SACKPermitted: true, WindowScale: 7, HasWindowScale: true},
	}
}

// rawSocket makes a socket that sends whole IP packets from any address.
func (n *Namespace) rawSocket(to netip.Addr) (int, error) {
	family := unix.AF_INET
	if to.Is6() {
		family = unix.AF_INET6
	}
	fd := -1
	err := n.Do(func() error {
		var err error
		fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW) // implies IP_HDRINCL
		return err
	})
	return fd, err
}
