package fragment

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"time"

	"tcplab/listener/segment"
)

const (
	// Timeout is how long a datagram may take to become whole
	// (net.ipv4.ipfrag_time).
	Timeout = 30 * time.Second
	// MaxBytes is the most that waits, bookkeeping included. When more comes, the
	// oldest datagrams go.
	MaxBytes = 1 << 20

	maxPacket = 1<<16 - 1 // of IPv4

	partOverhead     = 64  // of a part beside its bytes, about
	datagramOverhead = 256 // of a datagram beside its parts, about
)

// Reassembler holds fragments until their datagram is whole. The zero value is
// ready. It is not safe for concurrent use.
type Reassembler struct {
	datagrams map[key]*list.Element // of age
	age       list.List             // of *datagram, the oldest one first
	bytes     int
}

// key is what the fragments of a datagram have in common, beside TCP.
type key struct {
	source, destination [4]byte
	id                  uint16
}

// datagram is what has come of one.
type datagram struct {
	key     key
	expires time.Duration
	header  []byte // of the fragment that begins it
	parts   []part // by offset, without overlaps
	have    int    // bytes in parts
	total   int    // -1 until the last fragment has come
	bytes   int    // what it is counted with
	dead    bool   // it had an overlap
}

type part struct {
	offset int
	data   []byte
}

func (p *part) end() int { return p.offset + len(p.data) }

// Add takes a fragment of TCP over IPv4 at a time since any fixed moment, and
// returns the packet if that makes it whole; else nil. Failed is how many datagrams
// were given up, or a fragment that is none.
func (r *Reassembler) Add(now time.Duration, ip *segment.IP) (packet []byte, failed int) {
	failed = r.expire(now)
	field := binary.BigEndian.Uint16(ip.Packet[6:])
	const moreFragments, offsetMask = 0x2000, 0x1fff
	more := field&moreFragments != 0
	piece := part{int(field&offsetMask) * 8, ip.Payload()}
	if len(piece.data) == 0 || more && len(piece.data)%8 != 0 || ip.HeaderLen+piece.end() > maxPacket {
		return nil, failed + 1
	}
	k := key{[4]byte(ip.Packet[12:16]), [4]byte(ip.Packet[16:20]), binary.BigEndian.Uint16(ip.Packet[4:])}
	d := r.datagram(k, now)
	if d.dead {
		return nil, failed
	}
	if !d.add(piece, more) {
		r.kill(d)
		return nil, failed + 1
	}
	if piece.offset == 0 && d.header == nil {
		d.header = bytes.Clone(ip.Packet[:ip.HeaderLen])
	}
	if d.have == d.total {
		r.remove(r.datagrams[k])
		if packet = d.packet(); packet == nil {
			failed++
		}
		return packet, failed
	}
	r.count(d)
	for r.bytes > MaxBytes {
		r.remove(r.age.Front())
		failed++
	}
	return nil, failed
}

// Bytes is how much waits.
func (r *Reassembler) Bytes() int { return r.bytes }

// expire drops what has waited too long.
func (r *Reassembler) expire(now time.Duration) (failed int) {
	for oldest := r.age.Front(); oldest != nil && oldest.Value.(*datagram).expires <= now; oldest = r.age.Front() {
		if !oldest.Value.(*datagram).dead { // counted already
			failed++
		}
		r.remove(oldest)
	}
	return failed
}

// datagram finds a datagram or begins it.
func (r *Reassembler) datagram(k key, now time.Duration) *datagram {
	if e, ok := r.datagrams[k]; ok {
		return e.Value.(*datagram)
	}
	if r.datagrams == nil {
		r.datagrams = make(map[key]*list.Element)
	}
	d := &datagram{key: k, expires: now + Timeout, total: -1}
	r.datagrams[k] = r.age.PushBack(d)
	return d
}

// count brings the bytes that a datagram is counted with up to date.
func (r *Reassembler) count(d *datagram) {
	size := datagramOverhead + d.have + len(d.parts)*partOverhead
	r.bytes += size - d.bytes
	d.bytes = size
}

// kill drops what has come of a datagram, and what will come.
func (r *Reassembler) kill(d *datagram) {
	d.dead, d.header, d.parts, d.have = true, nil, nil, 0
	r.count(d)
}

func (r *Reassembler) remove(e *list.Element) {
	d := r.age.Remove(e).(*datagram)
	delete(r.datagrams, d.key)
	r.bytes -= d.bytes
}
