// Package compare runs scripted exchanges of TCP segments against the listener
// of the host's kernel and against tcplab's with the profile linux, and shows
// where the two differ.
//
// # Exchanges
//
// An exchange is a text file that plays clients, segment by segment, against a
// listening socket at port 80. What the server sends is not in it: that is what
// is compared. A line is one step, # begins a comment, and the comment at the
// top says what the exchange is about:
//
//	# A final ACK at a full accept queue is ignored, and the SYN-ACK comes again.
//	set backlog=0 tcp_syncookies=1       settings, before listen
//	listen
//	a S mss=1460 sackok ts=100 ws=7      client a sends a SYN
//	a .                                  a's final ACK: whatever acknowledges the server
//	b S
//	b . "GET"                            an ACK with data
//	wait 3s                              what comes meanwhile is noted, with its time
//	accept                               the application takes a connection
//	close                                and closes its listening socket
//
// Clients are single letters, each with an address and port of its own. Flags
// are tcpdump's: S, F, R, P and . for ACK. After them, in any order:
//
//	seq=N ack=N win=N     numbers; seq counts from the client's SYN, which is 0,
//	                      ack from the server's. Left out: what comes next
//	mss=N ws=N sackok ts=N ecr=N nop eol raw=HEX   options, in the order given
//	ecr=last              the TSval of the server's last segment
//	"text"                data
//	badsum                a wrong TCP checksum
//	nots                  no timestamp, though the SYN had one
//
// Once its SYN had a timestamp, a client's segments have one by themselves, a
// millisecond later each, and echo the server's. "finish" has the application
// close the connection that it accepted first.
//
// # Transcripts
//
// A transcript has a line a segment of the server's, in tcpdump's manner, with
// numbers relative to both initial sequence numbers and the time as a class:
// the point of the retransmission schedule that is nearest. Behind it stand what
// accept returned and the kernel's counters that moved.
package compare
