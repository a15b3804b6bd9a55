package handshake_test

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"testing"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// FuzzMachine plays a tape to a machine under any profile: segments made of
// arbitrary bytes and of fields near what the machine expects, timers, accepts,
// failures, second listens. No step may panic or break an invariant, and in the
// end nothing is left.
func FuzzMachine(f *testing.F) {
	for profile := range profiles.All() {
		f.Add([]byte{byte(profile), 1, 2, opSYN, 0, 0, opSYN, 1, 1, 15, 200, 7, 9, opSYN, 2, 2, 0, opCookie, 0, 0, opCookie, 1, 0, opCookie, 1, 3, opAccept})
		f.Add([]byte{byte(profile), 2, 0, opSYN, 0, opSYN, 1, opFinalACK, 0, opAccept, opAdvance, 200, opSYN, 2, opFinalACK, 1, opEnded, 0})
		f.Add([]byte{byte(profile), 1, 1, opSYN, 0, opSYN, 1, opSYN, 2, opSYN, 3, opFinalACK, 0, opFinalACK, 0, opFinalACK, 0, opAccept, opAccept, opFailed, 0})
		f.Add([]byte{byte(profile), 8, 2, opSYN, 0, opRepeat, 0, opNear, 0, 0x04, 1, 0, 3, opNear, 0, 0x12, 2, 0, 0, opLate, 255, opConfigure, 0, 0, 0})
		f.Add(append([]byte{byte(profile), 8, 4, opRaw, 0, 20}, 0x50, 0x02, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &player{tape: data}
		profile, s := p.listen()
		p.audit = newAudit(t, newMachine(profile, s))
		for len(p.tape) > 0 {
			p.step()
		}
		if len(data)%2 == 0 {
			p.drain()
		}
		p.close()
	})
}

// The steps on a tape. Each is followed by its arguments.
const (
	opSYN = iota
	opFinalACK
	opRepeat
	opNear
	opRaw
	opAdvance
	opLate
	opAccept
	opEnded
	opFailed
	opConfigure
	opCookie
	opKinds
)

// player plays a tape.
type player struct {
	*audit
	tape    []byte
	adopted []*handshake.Entry
	cookies []segment.Segment // SYN-ACKs of SYN cookies
}

// next is the next byte of the tape, zero at its end.
func (p *player) next() byte {
	if len(p.tape) == 0 {
		return 0
	}
	b := p.tape[0]
	p.tape = p.tape[1:]
	return b
}

// listen reads a profile, a backlog and the kernel's switches.
func (p *player) listen() (*backlog.Profile, backlog.Settings) {
	all := profiles.All()
	profile := all[int(p.next())%len(all)]
	s := settings(int(int8(p.next())))
	switches := p.next()
	s.Syncookies = int(switches & 3 % 3)
	s.AbortOnOverflow = switches&4 != 0
	s.DeferAccept = int(switches >> 3 & 7)
	s.MaxSynBacklog = 1 << (switches >> 6)
	if s.Somaxconn = 4; switches&8 != 0 {
		retried := *profile
		retried.Schedule = retried.Schedule.WithRetries(int(switches >> 4))
		profile = &retried
	}
	return profile, s
}

func (p *player) step() {
	switch p.next() % opKinds {
	case opSYN:
		seq := uint32(p.next()) * 0x01010101
		p.feed(segment.Segment{Tuple: p.tuple(), Flags: segment.SYN, Seq: seq, Window: 1000, Options: p.options()})
	case opFinalACK:
		p.near(segment.ACK, 1, 1)
	case opRepeat:
		p.near(segment.SYN, 0, 0)
	case opNear:
		p.near(segment.Flags(p.next()), p.distance(), p.distance())
	case opRaw:
		p.raw()
	case opAdvance:
		end := p.now + time.Duration(p.next())*time.Second
		for at, ok := p.m.NextDeadline(); ok && at <= end; at, ok = p.m.NextDeadline() {
			p.now = max(p.now, at)
			p.tick()
		}
		p.now = end
	case opLate:
		p.now += time.Duration(p.next()) * 700 * time.Millisecond
		p.tick()
	case opAccept:
		p.accept()
	case opEnded:
		if e := p.handover(); e != nil {
			p.ended(e)
		}
	case opFailed:
		if e := p.handover(); e != nil {
			p.failed(e)
		}
	case opConfigure:
		p.configure(p.listen())
	case opCookie:
		if len(p.cookies) > 0 {
			ack := finalACK(p.cookies[int(p.next())%len(p.cookies)])
			ack.Ack += uint32(int8(p.next()))
			p.feed(ack)
		}
	}
}

func (p *player) tuple() segment.Tuple { return tupleOf(clients[int(p.next())%len(clients)]) }

func (p *player) options() segment.Options {
	has := p.next()
	o := segment.Options{
		HasMSS: has&1 != 0, HasWindowScale: has&2 != 0, SACKPermitted: has&4 != 0, HasTimestamps: has&8 != 0,
	}
	if o.HasMSS {
		o.MSS = uint16(p.next()) << (has >> 4)
	}
	if o.HasWindowScale {
		o.WindowScale = p.next() % 15
	}
	if o.HasTimestamps {
		o.TSVal = bits.RotateLeft32(uint32(p.next()), int(has>>4)*2)
	}
	return o
}

// distance is a small number, positive or negative, or one near a window.
func (p *player) distance() uint32 {
	b := p.next()
	if b >= 0xf0 {
		return uint32(promise4.Window) + uint32(b-0xf8)
	}
	return uint32(int8(b))
}

// near feeds a segment of a half-open connection, its numbers a distance away
// from the initial ones.
func (p *player) near(flags segment.Flags, seq, ack uint32) {
	var halfOpen []*handshake.Entry
	p.m.Each(func(e *handshake.Entry) bool {
		if e.Place() == backlog.Incomplete {
			halfOpen = append(halfOpen, e)
		}
		return true
	})
	if len(halfOpen) == 0 {
		return
	}
	c := &halfOpen[int(p.next())%len(halfOpen)].Value
	p.feed(segment.Segment{
		Tuple: c.Tuple, Flags: flags, Seq: c.IRS + seq, Ack: c.ISS + ack,
		Options: p.options(), Payload: make([]byte, p.next()&3),
	})
}

// raw feeds a TCP header and data as they are on the tape, if they can be
// parsed.
func (p *player) raw() {
	tuple := p.tuple()
	n := min(int(p.next()), len(p.tape))
	packet := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Payload: p.tape[:n]})
	p.tape = p.tape[n:]
	ip, err := segment.ParseIP(packet)
	if err != nil {
		p.t.Fatalf("%v", err)
	}
	tcp := ip.Payload()
	// The payload becomes the rest of the header, checksum apart, and more.
	for i := 0; i < n && 12+i < len(tcp); i++ {
		if at := 12 + i; at != 16 && at != 17 {
			field, word := tcp[16:18], tcp[at&^1:]
			was := binary.BigEndian.Uint16(word)
			tcp[at] = tcp[20+i]
			segment.UpdateChecksum16(field, was, binary.BigEndian.Uint16(word))
		}
	}
	var s segment.Segment
	if segment.Parse(packet, &s) == nil {
		p.feed(s)
	}
}

// feed gives a segment to the machine.
func (p *player) feed(s segment.Segment) {
	if !p.segment(&s) {
		return
	}
	if p.out.Adopt != nil {
		p.adopted = append(p.adopted, p.out.Adopt)
	}
	if p.count(handshake.CookieSent) > 0 {
		p.cookies = append(p.cookies, p.out.Send...)
	}
}

// handover is a connection that was handed over and that no newer one of the
// same tuple has followed, nil if there is none.
func (p *player) handover() *handshake.Entry {
	i := int(p.next())
	alive := slices.DeleteFunc(slices.Clone(p.adopted), func(e *handshake.Entry) bool {
		return p.handed[e.Value.Tuple] != nil && p.handed[e.Value.Tuple] != e
	})
	if len(alive) == 0 {
		return nil
	}
	return alive[i%len(alive)]
}

// drain lets all timers fire and accepts what is there, after which nothing is
// left.
func (p *player) drain() {
	for range 100 {
		at, ok := p.m.NextDeadline()
		if !ok {
			break
		}
		p.now = max(p.now, at)
		p.tick()
	}
	if at, ok := p.m.NextDeadline(); ok {
		p.t.Fatalf("after 100 timeouts a timer still runs until %v", at)
	}
	for p.accept() {
	}
	if counts, _, _ := p.m.Queues(); counts.Total() > 0 {
		p.t.Fatalf("after all timeouts and accepts there are %+v", counts)
	}
}
