package handshake_test

import (
	"fmt"
	"strings"

	"tcplab/listener/backlog"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// Our sequence numbers are printed relative to the initial one, iss, a new one
// with its distance from the client's last one in parentheses, and our timestamps
// in milliseconds since the machine's epoch.

// printRule says what the profile makes of the backlog.
func (s *session) printRule() {
	_, limits, profile := s.audit.m.Queues()
	s.printf("%s: %s", profile.Name, profile.Describe(limits))
}

// printOutput prints what came out of the last step: segments sent, connections
// handed over or to be reset, events.
func (s *session) printOutput() {
	out := &s.audit.out
	for i := range out.Send {
		s.printSent(&out.Send[i])
	}
	if e := out.Adopt; e != nil {
		s.client(e.Value.Tuple).entry = e
		h := s.audit.m.Handshake(s.audit.now, e)
		s.printf("%v handed over: SYN seq %d win %d%v", e.Value.Tuple.Client(), h.SYN.Seq, h.SYN.Window, h.SYN.Options)
	}
	for _, e := range out.Abort {
		s.printf("%v to be reset by the endpoint", e.Value.Tuple.Client())
	}
	for i := range out.Events {
		s.printEvent(&out.Events[i])
	}
}

func (s *session) client(tuple segment.Tuple) *client {
	if s.clients[tuple] == nil {
		s.clients[tuple] = new(client)
	}
	return s.clients[tuple]
}

// printSent prints a segment that the machine sends, and tells its client.
func (s *session) printSent(sent *segment.Segment) {
	c := s.client(sent.Tuple)
	higher := ""
	if sent.Flags.Has(segment.SYN) {
		if c.iss != 0 && c.iss != sent.Seq {
			higher = fmt.Sprintf(" (%+d)", int32(sent.Seq-c.iss))
		}
		c.irs, c.iss = sent.Ack-1, sent.Seq
	}
	text := fmt.Sprintf("%v <- %v seq %s%s", sent.Tuple.Client(), sent.Flags, c.relative(sent.Seq), higher)
	if sent.Flags.Has(segment.ACK) {
		text += fmt.Sprintf(" ack %d", sent.Ack)
	}
	if !sent.Flags.Has(segment.RST) {
		text += fmt.Sprintf(" win %d", sent.Window)
	}
	options := sent.Options
	if clock := uint32(s.audit.now.Milliseconds()); options.HasTimestamps {
		if !c.clocked {
			c.clock, c.clocked = options.TSVal-clock, true
		}
		options.TSVal -= c.clock
	}
	s.printf("%s%v", text, options)
}

// relative is one of our sequence numbers as the client sees it.
func (c *client) relative(seq uint32) string {
	switch distance := int32(seq - c.iss); {
	case c.iss == 0 || distance < -1<<16 || distance > 1<<16:
		return fmt.Sprint(seq)
	case distance == 0:
		return "iss"
	default:
		return fmt.Sprintf("iss%+d", distance)
	}
}

func (s *session) printEvent(event *handshake.Event) {
	text := fmt.Sprintf("%v %v", event.Tuple.Client(), event.Kind)
	switch event.Kind {
	case handshake.SYNDropped, handshake.ACKDropped, handshake.ACKReset, handshake.ACKForgotten, handshake.Parked:
		s.printf("%s: %s", text, event.Decision.Words(event.Counts))
		return
	case handshake.SYNAdmitted, handshake.SYNRepeated:
	default:
		text += fmt.Sprintf(" after %v", event.Waited)
		if event.Retransmits > 0 {
			text += fmt.Sprintf(", retransmitted %d", event.Retransmits)
		}
	}
	s.printf("%s %s", text, lengths(event.Counts))
}

func lengths(c backlog.Counts) string {
	return fmt.Sprintf("(incomplete %d, completed %d)", c.Incomplete, c.Completed)
}

// printCounters prints what the counters moved by during the command.
func (s *session) printCounters() {
	var moved []string
	now := *s.audit.m.Counters()
	for counter := range handshake.NumCounters {
		if n := now[counter] - s.counters[counter]; n > 0 {
			moved = append(moved, fmt.Sprintf("%v +%d", counter, n))
		}
	}
	s.counters = now
	if len(moved) > 0 {
		s.printf("%s", strings.Join(moved, ", "))
	}
}
