package handshake

import (
	"encoding/binary"
	"time"

	"github.com/dchest/siphash"

	"tcplab/listener/segment"
)

// Key is the secret behind initial sequence numbers, timestamp offsets and SYN
// cookies. Whoever knows it can forge all three.
type Key [16]byte

// hash is SipHash-2-4 of a connection's addresses and ports, and of purpose.
func (k *Key) hash(tuple *segment.Tuple, purpose uint64) uint64 {
	var b [44]byte
	copy(b[0:], tuple.ClientAddr[:])
	copy(b[16:], tuple.ServerAddr[:])
	binary.LittleEndian.PutUint16(b[32:], tuple.ClientPort)
	binary.LittleEndian.PutUint16(b[34:], tuple.ServerPort)
	binary.LittleEndian.PutUint64(b[36:], purpose)
	return siphash.Hash(binary.LittleEndian.Uint64(k[:8]), binary.LittleEndian.Uint64(k[8:]), b[:])
}

// What the hash is used for; each gets values of its own.
const (
	purposeISN = iota
	purposeTimestamp
	purposeCookie
	purposeCookieMinute // plus the minute
)

// isn is an initial sequence number after RFC 6528: a clock of 4 µs ticks plus
// a keyed hash of the connection.
func (k *Key) isn(now time.Duration, tuple *segment.Tuple) uint32 {
	return uint32(now/(4*time.Microsecond)) + uint32(k.hash(tuple, purposeISN))
}

// isnGap is how far the initial sequence number of a connection that reopens one
// in TIME-WAIT is beyond that one's last: more than a window without scale
// (tcp_timewait_state_process).
const isnGap = 65535 + 2

// timestampOffset is what is added to the millisecond clock to make the TSval
// of a connection (RFC 7323 section 5.4): one a pair of addresses, so that a
// later connection between them does not go back.
func (k *Key) timestampOffset(tuple *segment.Tuple) uint32 {
	pair := segment.Tuple{ClientAddr: tuple.ClientAddr, ServerAddr: tuple.ServerAddr}
	return uint32(k.hash(&pair, purposeTimestamp))
}

// tsval is the timestamp clock of a connection, in milliseconds.
func (c *Connection) tsval(now time.Duration) uint32 {
	return uint32(now/time.Millisecond) + c.tsOffset
}
