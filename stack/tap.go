package stack

import "tcplab/tun/offload"

// Tap sees the packets of an endpoint as the host sees them: before anything
// inside is translated, and after. It must not wait for anything: packets wait
// for it. It must not keep a packet either, as its buffer is used again.
type Tap interface {
	// In is told of a packet that was read from the device. What the endpoint
	// does about it on the reader's goroutine, the listener's answer included,
	// lies between In and Handled, which are called from that goroutine alone.
	// The header, which nobody has checked yet, says whether the packet's checksum
	// is finished.
	In(packet []byte, h offload.Header)
	Handled()
	// Out is told of a packet just before it is written to the device, so that
	// the answer to it cannot be seen first. A packet that the device then does
	// not take (OutErrors) was seen all the same. It is called from many
	// goroutines, sometimes with netstack's locks held.
	Out(packet []byte, h offload.Header)
}
