package trace

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tcplab/internal/bell"
	"tcplab/listener"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// maxBehind is how many packets wait until the one before them has been handled.
// That takes microseconds; a reader that was kept from running so long does not
// have to keep the others back.
const maxBehind = 4096

// Recorder puts packets and events together and hands them to all
// subscriptions. It is the Tap of a stack, and its Event is for the Observer of
// that stack's listeners. The zero value is ready for use.
type Recorder struct {
	// MaxBytes is how much the packets that wait for one reader may hold; zero is
	// the constant of this name. It is not changed after the first Subscribe.
	MaxBytes int

	snaplen atomic.Int64 // the longest that a subscription wants; 0 while there is none

	holding bool // of the goroutine that reads the device: a packet is between In and Handled

	mu      sync.Mutex // guards the following
	subs    []*Subscription
	closed  bool
	held    *Packet // being handled; nil if none is
	tuple   segment.Tuple
	hasOne  bool      // held has a tuple
	behind  []*Packet // left while held was handled
	pending pending
}

// In implements stack.Tap.
func (r *Recorder) In(packet []byte, h offload.Header) {
	p := r.copy(packet, h, true)
	if p == nil {
		return
	}
	r.holding = true
	tuple, ok := p.Tuple()
	r.mu.Lock()
	defer r.mu.Unlock()
	p.Time = time.Now()
	r.held, r.tuple, r.hasOne = p, tuple, ok
	r.attachLocked(p)
}

// Handled implements stack.Tap.
func (r *Recorder) Handled() {
	if !r.holding {
		return
	}
	r.holding = false
	r.mu.Lock()
	defer r.mu.Unlock()
	r.releaseLocked()
}

// Out implements stack.Tap.
func (r *Recorder) Out(packet []byte, h offload.Header) {
	p := r.copy(packet, h, false)
	if p == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.Time = time.Now()
	r.attachLocked(p)
	if r.held == nil {
		r.pushLocked(p)
		return
	}
	r.behind = append(r.behind, p)
	if len(r.behind) >= maxBehind {
		r.releaseLocked()
	}
}

// Event takes what happened at a listener, in order.
func (r *Recorder) Event(e *listener.Event) {
	if r.snaplen.Load() == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.subs) == 0 {
		return
	}
	if r.held != nil && r.causedByLocked(e) {
		r.held.Events = append(r.held.Events, *e)
		return
	}
	r.pending.add(e, time.Now())
}

// causedByLocked reports whether the packet that is being handled caused e.
func (r *Recorder) causedByLocked(e *listener.Event) bool {
	switch e.Kind {
	case handshake.Evicted:
		return true // nothing but a SYN evicts
	case handshake.Retransmitted, handshake.Expired, handshake.Accepted, handshake.AdoptionFailed, handshake.Closed:
		return false
	}
	return r.hasOne && e.Tuple == r.tuple
}

// copy makes a Packet of what subscriptions want of packet, nil if there are
// none. A checksum that was left unfinished is completed in it: the packet is
// shown as it would be on a wire.
func (r *Recorder) copy(packet []byte, h offload.Header, inbound bool) *Packet {
	snaplen := r.snaplen.Load()
	if snaplen == 0 {
		return nil
	}
	n := min(len(packet), int(snaplen))
	b := newBuffer(n)
	copy(b.bytes, packet[:n])
	start := int(h.ChecksumStart)
	at := start + int(h.ChecksumOffset)
	if h.Flags.Has(offload.NeedsChecksum) && at+2 <= n {
		binary.BigEndian.PutUint16(b.bytes[at:], segment.ChecksumOf(packet[start:]))
	}
	return &Packet{Inbound: inbound, Data: b.bytes[:n:n], Length: len(packet), buffer: b}
}

// attachLocked gives p the events that have waited for it.
func (r *Recorder) attachLocked(p *Packet) {
	p.LostEvents = r.pending.takeLost()
	if len(r.pending.waiting) > 0 {
		tuple, ok := p.Tuple()
		p.Events = r.pending.take(p.Events, tuple, ok, p.Inbound, p.Time)
	}
}

// releaseLocked hands on the packet that was handled, and what left meanwhile.
func (r *Recorder) releaseLocked() {
	if r.held == nil {
		return
	}
	r.pushLocked(r.held)
	for _, p := range r.behind {
		r.pushLocked(p)
	}
	clear(r.behind)
	r.held, r.behind = nil, r.behind[:0]
}

func (r *Recorder) pushLocked(p *Packet) {
	p.buffer.users.Store(int32(len(r.subs)))
	for _, s := range r.subs {
		s.push(p)
	}
}

// Subscribe starts a subscription that holds at most size packets, at least one,
// until they are read, with the first snaplen bytes of each, at least 64 so that
// the headers of TCP are there. End it with Close.
func (r *Recorder) Subscribe(size, snaplen int) *Subscription {
	s := &Subscription{
		recorder: r,
		snaplen:  max(snaplen, minSnaplen),
		ready:    bell.New(),
		ring:     make([]*Packet, max(size, 1)),
		maxBytes: cmp.Or(r.MaxBytes, MaxBytes),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		s.end()
		return s
	}
	r.replaceLocked(append(slices.Clone(r.subs), s))
	return s
}

// Close ends all subscriptions: their readers get what is left and then io.EOF.
func (r *Recorder) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.releaseLocked()
	for _, s := range r.subs {
		s.end()
	}
	r.replaceLocked(nil)
}

// remove forgets a subscription.
func (r *Recorder) remove(s *Subscription) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.replaceLocked(slices.DeleteFunc(slices.Clone(r.subs), func(other *Subscription) bool { return other == s }))
}

// replaceLocked puts a new list of subscriptions in place. Without any, nothing
// is kept.
func (r *Recorder) replaceLocked(subs []*Subscription) {
	snaplen := 0
	for _, s := range subs {
		snaplen = max(snaplen, s.snaplen)
	}
	r.subs = subs
	r.snaplen.Store(int64(snaplen))
	if len(subs) == 0 {
		r.held, r.behind, r.pending = nil, nil, pending{}
	}
}
