package stack

import (
	"math/bits"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"tcplab/listener/segment"
	"tcplab/stack/tcpmem"
)

// sendBuffer is what an adopted connection holds of the bytes that it was given
// to send: all that the client has not acknowledged. Netstack bounds the payload
// of one connection; sendBuffer bounds the memory of all of them, each write with
// what netstack needs to keep it, as sk_wmem_queued does (net/ipv4/tcp.c).
type sendBuffer struct {
	pool *tcpmem.Pool

	mu      sync.Mutex // guards the following
	writes  []write    // not acknowledged; from first on, in order
	first   int
	queued  uint32        // bytes that were written, from the connection's start
	held    int           // memory of the writes
	over    bool          // nothing more is counted: the connection is closed or gone
	wakeAt  int           // changed is closed when held is down to this
	changed chan struct{} // nil: nobody waits
	unread  int           // bytes that may still be acknowledged without anybody reading them
	rate    rate          // of what was acknowledged beyond that
}

// write is one write of netstack's. It is freed as a whole, when its last byte is
// acknowledged.
type write struct {
	end    uint32 // the value of queued behind it
	memory int32
}

const (
	// maxWrite is the largest write: each takes netstack's locks, so many small ones
	// are slower.
	maxWrite = 1 << 20
	// maxChunk is the largest piece of memory that netstack keeps bytes in.
	maxChunk = buffer.MaxChunkSize
	// writeOverhead is what netstack needs for a write beside its bytes: a segment,
	// a packet buffer, a view and an entry of a map.
	writeOverhead = 1 << 10
	// kernelTakes is how much a client's kernel acknowledges although its program
	// reads nothing: the default receive buffer (net.ipv4.tcp_rmem).
	kernelTakes = 128 << 10
	// initialSend is what a connection may hold before its client has
	// acknowledged anything: netstack's own default.
	initialSend = 1 << 20
)

// memoryOf is what a write of n bytes takes: netstack's memory comes in powers of
// two, up to maxChunk.
func memoryOf(n int) int {
	memory := writeOverhead + n/maxChunk*maxChunk
	if rest := n % maxChunk; rest > 0 || n == 0 {
		memory += 1 << bits.Len(uint(max(rest, 64)-1))
	}
	return memory
}

// fits is how many bytes, of n, a write may have that takes no more than memory.
func fits(n, memory int) int {
	room := memory - writeOverhead
	if room < 64 {
		return 0
	}
	if memoryOf(n) <= memory {
		return n
	}
	if room >= maxChunk {
		return min(n, room/maxChunk*maxChunk)
	}
	return min(n, 1<<(bits.Len(uint(room))-1))
}

// reserve counts a write of up to n bytes, and returns how many may be written.
// If none may, changed is closed when it is worth trying again.
func (b *sendBuffer) reserve(n int, now time.Time) (granted int, changed <-chan struct{}) {
	n = min(n, maxWrite)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return n, nil // netstack says what is wrong
	}
	want := b.want(n, now)
	if changed := b.roomLocked(want); changed != nil {
		return 0, changed
	}
	memory := b.pool.Reserve(want)
	n = fits(n, memory)
	if n == 0 { // others were faster
		b.pool.Release(b.held+memory, memory)
		return 0, b.waitLocked(0)
	}
	b.pool.Release(b.held+memory, memory-memoryOf(n))
	b.queued += uint32(n)
	b.held += memoryOf(n)
	b.writes = append(b.writes, write{b.queued, int32(memoryOf(n))})
	return n, nil
}

// room waits for nothing: it returns how many bytes, of n, a write would be
// granted, or what is closed when it is worth asking again.
func (b *sendBuffer) room(n int, now time.Time) (granted int, changed <-chan struct{}) {
	n = min(n, maxWrite)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return n, nil
	}
	want := b.want(n, now)
	if changed := b.roomLocked(want); changed != nil {
		return 0, changed
	}
	return max(fits(n, b.pool.Allowed(want)-b.held), 1), nil
}

func (b *sendBuffer) want(n int, now time.Time) tcpmem.Want {
	return tcpmem.Want{Held: b.held, More: memoryOf(n), Initial: initialSend, Delivered: b.rate.value(now)}
}

// roomLocked is nil if a write may be made now. It may when there is room for
// all of it, or for half of what the connection may hold: many small writes cost
// more than they bring (silly window syndrome, on the inside).
func (b *sendBuffer) roomLocked(want tcpmem.Want) <-chan struct{} {
	allowed := b.pool.Allowed(want)
	need := min(want.More, allowed/2)
	if b.held == 0 || b.held+need <= allowed {
		return nil
	}
	return b.waitLocked(allowed - need)
}

// waitLocked is what is closed when no more than held is held. Something is, so
// the client will acknowledge it, or the connection ends.
func (b *sendBuffer) waitLocked(held int) <-chan struct{} {
	if b.changed == nil {
		b.changed, b.wakeAt = make(chan struct{}), 0
	}
	b.wakeAt = max(b.wakeAt, held)
	return b.changed
}

// acknowledged frees the writes that the client has whole: all up to this many
// bytes from the connection's start.
func (b *sendBuffer) acknowledged(upTo uint32, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	unread := min(bytes, b.unread)
	b.unread -= unread
	b.rate.add(bytes - unread)
	freed := 0
	for b.first < len(b.writes) && !segment.After(b.writes[b.first].end, upTo) {
		freed += int(b.writes[b.first].memory)
		b.first++
	}
	if freed == 0 {
		return
	}
	b.compactLocked()
	b.pool.Release(b.held, freed)
	b.held -= freed
	if b.held <= b.wakeAt {
		b.wakeLocked()
	}
}

// compactLocked keeps the list of writes from growing at its front.
func (b *sendBuffer) compactLocked() {
	switch {
	case b.first == len(b.writes) && cap(b.writes) > 256:
		b.writes, b.first = nil, 0
	case b.first == len(b.writes):
		b.writes, b.first = b.writes[:0], 0
	case b.first >= 32 && b.first >= len(b.writes)/2:
		b.writes, b.first = b.writes[:copy(b.writes, b.writes[b.first:])], 0
	}
}

// wakeLocked has those who wait for room look again.
func (b *sendBuffer) wakeLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// finish ends the waiting for room: the application has closed its side. What is
// held stays so until it is acknowledged.
func (b *sendBuffer) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.wakeLocked()
}

// end frees everything: the connection is gone.
func (b *sendBuffer) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pool.Release(b.held, b.held)
	b.over, b.held, b.writes, b.first = true, 0, nil, 0
	b.wakeLocked()
}
