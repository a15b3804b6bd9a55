package stack

import (
	"encoding/binary"
	"sync/atomic"

	"tcplab/listener/segment"
)

// ending is what the client's segments say of the end of its connection. Netstack
// works segments off in goroutines of its own: a SYN may be read before its
// endpoint has seen the RST or FIN right before it, and netstack, once it has,
// would take the SYN for its own listening endpoint.
type ending struct {
	rcvEnd atomic.Uint32 // behind the last byte that the client has sent
	reset  atomic.Bool   // with a RST that lies there
	fin    atomic.Bool   // the client has sent its FIN,
	second atomic.Bool   // after ours
}

// heard notes what a segment of the client's says, before translation, when it is
// read: netstack may get it later.
func (f *flow) heard(ip *segment.IP, header []byte) {
	f.acknowledged(header)
	flags, seq := segment.Flags(header[offFlags]), binary.BigEndian.Uint32(header[offSeq:])
	if flags.Has(segment.RST) {
		if seq == f.rcvEnd.Load() { // RFC 5961 section 3.2
			f.reset.Store(true)
		}
		return
	}
	end := seq + uint32(len(ip.Payload())-len(header))
	if flags.Has(segment.FIN) {
		end++
		f.second.Store(f.finSent.Load())
		f.fin.Store(true)
	}
	if segment.After(end, f.rcvEnd.Load()) {
		f.rcvEnd.Store(end)
	}
}

// closing reports whether both sides have sent their FIN and the client has
// acknowledged ours: the connection is in TIME-WAIT or closed as soon as netstack
// has seen that.
func (f *flow) closing() bool {
	return f.fin.Load() && f.finSent.Load() && f.sndUna.Load() == f.sndNxt.Load()
}

// closed reports whether the client has no connection any more, and there is no
// TIME-WAIT on our side: it has reset it, or has sent its FIN first.
func (f *flow) closed() bool { return f.reset.Load() || f.closing() && !f.second.Load() }
