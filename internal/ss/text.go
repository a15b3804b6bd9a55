package ss

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tcplab/internal/endpoint"
)

// Options are how sockets are shown.
type Options struct {
	NoHeader bool // -H
	Timers   bool // -o
}

// columns of the table. Addresses are right-aligned and ports left-aligned, so
// that the colons stand below each other.
const (
	state = iota
	recvQ
	sendQ
	localAddr
	localPort
	peerAddr
	peerPort
	process
	numColumns
)

type row [numColumns]string

var header = row{"State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port", "Process"}

// Write writes a line for each socket.
func Write(w io.Writer, sockets []endpoint.Socket, o Options) error {
	rows := make([]row, 0, len(sockets)+1)
	if !o.NoHeader {
		rows = append(rows, header)
	}
	for i := range sockets {
		rows = append(rows, newRow(&sockets[i], o))
	}
	var width widths
	for i := range rows {
		for column, text := range rows[i] {
			width[column] = max(width[column], len(text))
		}
	}
	var b strings.Builder
	for i := range rows {
		r := &rows[i]
		line := fmt.Sprintf("%-*s %-*s %-*s %*s:%-*s %*s:%-*s %s",
			width[state], r[state], max(width[recvQ], len(header[recvQ])), r[recvQ], max(width[sendQ], len(header[sendQ])), r[sendQ],
			width[localAddr], r[localAddr], width[localPort], r[localPort],
			width[peerAddr], r[peerAddr], width[peerPort], r[peerPort], r[process])
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type widths [numColumns]int

func newRow(s *endpoint.Socket, o Options) row {
	r := row{state: s.State, recvQ: strconv.Itoa(s.RecvQ), sendQ: strconv.Itoa(s.SendQ)}
	r[localAddr], r[localPort] = address(s.Local.Addr()), strconv.Itoa(int(s.Local.Port()))
	switch {
	case s.Peer.IsValid():
		r[peerAddr], r[peerPort] = address(s.Peer.Addr()), strconv.Itoa(int(s.Peer.Port()))
	case s.Local.Addr().Is4():
		r[peerAddr], r[peerPort] = "0.0.0.0", "*"
	case s.Local.Addr().IsUnspecified():
		r[peerAddr], r[peerPort] = "*", "*"
	default:
		r[peerAddr], r[peerPort] = "[::]", "*"
	}
	if o.Timers && s.State == endpoint.StateSYNRecv {
		r[process] = fmt.Sprintf("timer:(on,%s,%d)", timer(time.Duration(s.TimerMS)*time.Millisecond), s.Retransmits)
	}
	return r
}

// address is an address as ss writes it: [::] stands for both versions of IP.
func address(addr netip.Addr) string {
	switch {
	case addr.Is4():
		return addr.String()
	case addr.IsUnspecified():
		return "*"
	}
	return "[" + addr.String() + "]"
}

// timer is a time as ss writes it: 800ms, 12sec, 1min3sec. Between one and ten
// seconds ss writes 1.234ms for 1.234 s; that is not copied.
func timer(d time.Duration) string {
	d = d.Truncate(time.Millisecond)
	minutes, seconds := int(d/time.Minute), int(d%time.Minute/time.Second)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%ssec", strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
	case minutes == 0:
		return fmt.Sprintf("%dsec", seconds)
	case minutes > 9 || seconds == 0:
		return fmt.Sprintf("%dmin", minutes)
	}
	return fmt.Sprintf("%dmin%dsec", minutes, seconds)
}
