package segment

// Promise is what a SYN-ACK may offer on behalf of the TCP that will carry the
// connection: an offer that this TCP would not keep would break the connection
// later.
type Promise struct {
	MSS            uint16
	Window         uint16 // SEG.WND of the SYN-ACK, not scaled
	WindowScale    uint8
	HasWindowScale bool
	SACKPermitted  bool
	Timestamps     bool
}

// Handshake is a finished three-way handshake as the listening side knows it:
// all that another TCP needs to carry the connection on.
type Handshake struct {
	SYN   Segment // the client's SYN: numbers, window and options, no data
	ISS   uint32  // the initial sequence number that we sent
	TSVal uint32  // our timestamp clock, in milliseconds, when this was made
}
