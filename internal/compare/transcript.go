package compare

import (
	"fmt"
	"strings"
	"time"

	"tcplab/listener/segment"
)

// Transcript is what a server did in an exchange.
type Transcript struct {
	Lines    []string          // a line a segment, grouped by client
	Counters map[string]uint64 // that moved
}

// Text is the transcript as it is shown and compared.
func (t *Transcript) Text() []string {
	text := append([]string(nil), t.Lines...)
	for _, name := range comparedCounters {
		if n := t.Counters[name]; n != 0 {
			text = append(text, fmt.Sprintf("%s +%d", name, n))
		}
	}
	return text
}

// comparedCounters are the counters that both servers have.
var comparedCounters = []string{
	"PassiveOpens", "AttemptFails", "OutRsts", "EmbryonicRsts", "ListenOverflows", "ListenDrops",
	"TCPReqQFullDrop", "TCPReqQFullDoCookies", "SyncookiesSent", "SyncookiesRecv", "SyncookiesFailed",
	"TCPTimeouts", "TCPSynRetrans", "TCPDeferAcceptDrop", "TCPACKSkippedSynRecv",
	"TCPACKSkippedTimeWait", "TCPChallengeACK",
	"PAWSEstab", "InSegs", "OutSegs", "RetransSegs", "EstabResets", "InErrs", "InCsumErrors",
}

// recorder writes down what a server sends to one client.
type recorder struct {
	*client
	lines []string
	last  time.Time // of the last step or segment of this client
}

// classes are the times that are told apart: at once, and the waits of the
// retransmission schedule.
var classes = []time.Duration{
	0, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 6 * time.Second, 8 * time.Second, 16 * time.Second,
}

// class is the nearest class of a time that passed.
func class(d time.Duration) string {
	best := classes[0]
	for _, c := range classes {
		if (d - c).Abs() < (d - best).Abs() {
			best = c
		}
	}
	if best == 0 {
		return "+0"
	}
	return "+" + best.String()
}

// record writes a segment down.
func (r *recorder) record(at time.Time, s *segment.Segment, options []byte) {
	r.received(s)
	line := fmt.Sprintf("%c %s [%s]", r.letter, class(at.Sub(r.last)), flagText(s.Flags))
	r.last = at
	switch relative := s.Seq - r.serverISS; {
	case r.sawServer && relative < 1<<30 && (s.Seq != 0 || !s.Flags.Has(segment.RST)):
		line += fmt.Sprintf(" seq %d", relative)
	default:
		line += fmt.Sprintf(" seq %d absolute", s.Seq)
	}
	if s.Flags.Has(segment.ACK) {
		line += fmt.Sprintf(" ack %d", int32(s.Ack-r.iss))
	}
	if len(s.Payload) > 0 {
		line += fmt.Sprintf(" len %d", len(s.Payload))
	}
	r.lines = append(r.lines, line+optionText(options))
}

// flagText is tcpdump's way of writing flags.
func flagText(f segment.Flags) string {
	text := ""
	for _, flag := range []struct {
		bit    segment.Flags
		letter string
	}{
		{segment.SYN, "S"}, {segment.FIN, "F"}, {segment.PSH, "P"}, {segment.RST, "R"},
		{segment.URG, "U"}, {segment.ECE, "E"}, {segment.CWR, "W"}, {segment.ACK, "."},
	} {
		if f.Has(flag.bit) {
			text += flag.letter
		}
	}
	return text
}

// optionText lists the options in their order: values that both servers must
// agree on in full, of the window scale only that it is there.
func optionText(area []byte) string {
	var list []string
	for i := 0; i < len(area); {
		kind := area[i]
		if kind == segment.OptionEnd {
			break
		}
		if kind == segment.OptionNop {
			list = append(list, "nop")
			i++
			continue
		}
		if i+1 >= len(area) || area[i+1] < 2 || i+int(area[i+1]) > len(area) {
			list = append(list, "malformed")
			break
		}
		data := area[i+2 : i+int(area[i+1])]
		switch {
		case kind == segment.OptionMSS && len(data) == 2:
			list = append(list, fmt.Sprintf("mss %d", int(data[0])<<8|int(data[1])))
		case kind == segment.OptionWindowScale:
			list = append(list, "wscale")
		case kind == segment.OptionSACKPermitted:
			list = append(list, "sackOK")
		case kind == segment.OptionTimestamps && len(data) == 8:
			ecr := uint32(data[4])<<24 | uint32(data[5])<<16 | uint32(data[6])<<8 | uint32(data[7])
			list = append(list, fmt.Sprintf("TS ecr %d", ecr))
		default:
			list = append(list, fmt.Sprintf("option %d", kind))
		}
		i += int(area[i+1])
	}
	if len(list) == 0 {
		return ""
	}
	return " <" + strings.Join(list, ",") + ">"
}
