package handshake_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

// session is a transcript being run.
type session struct {
	t        *testing.T
	audit    *audit
	config   configuration
	counters handshake.Counters // at the end of the last command
	clients  map[segment.Tuple]*client
	text     strings.Builder // the output of this command
}

// configuration is what listen and set have said so far.
type configuration struct {
	profile  *backlog.Profile
	settings backlog.Settings
}

// client is what a client knows of its connection.
type client struct {
	irs, iss uint32
	clock    uint32           // our TSval at the machine's epoch
	clocked  bool             // there was a TSval
	entry    *handshake.Entry // set when it was handed over
}

func newSession(t *testing.T) *session {
	return &session{t: t, clients: make(map[segment.Tuple]*client)}
}

// commands are those of a transcript. A segment comes from client
// (192.0.2.1:40001), or from count clients on consecutive ports.
//
//	listen profile=bsd backlog=8 somaxconn=4096   begins anew
//	set profile= backlog= retries= timeout=75s    changes what is given
//	syn | ack | rst | segment flags=A|B           seq= ack= win= len=, and the options mss= ws= sack ts= ecr=
//	advance 6s                                    stops at each deadline on the way
//	late 6s                                       the timer fires that late
//	accept n=1                                    n connections
//	ended | failed                                the endpoint lost the connection, or never took it
//	close
//	queues                                        what is queued
var commands = map[string]func(*session, *arguments){
	"listen":  (*session).listen,
	"set":     (*session).set,
	"syn":     (*session).syn,
	"ack":     (*session).ack,
	"rst":     (*session).rst,
	"segment": (*session).segment,
	"advance": (*session).advance,
	"late":    (*session).late,
	"accept":  (*session).accept,
	"ended":   (*session).ended,
	"failed":  (*session).failed,
	"close":   (*session).close,
	"queues":  (*session).queues,
}

// run runs a command line and returns its output.
func (s *session) run(line string) string {
	s.t.Helper()
	s.text.Reset()
	words := strings.Fields(line)
	command := commands[words[0]]
	if command == nil || s.audit == nil && words[0] != "listen" {
		s.t.Fatalf("unknown command, or nobody listens: %s", line)
	}
	args := parseArguments(s.t, line, words[1:])
	command(s, args)
	args.finish()
	s.printCounters()
	if s.text.Len() == 0 {
		return "nothing\n"
	}
	return s.text.String()
}

func (s *session) listen(args *arguments) {
	s.config = configuration{profiles.BSD, settings(8)}
	s.configure(args)
	s.audit = newAudit(s.t, newMachine(s.config.profile, s.config.settings))
	s.counters = *s.audit.m.Counters()
	clear(s.clients)
	s.printRule()
}

func (s *session) set(args *arguments) {
	s.configure(args)
	s.audit.configure(s.config.profile, s.config.settings)
	s.printRule()
	s.printOutput()
}

// configure takes over what is given.
func (s *session) configure(args *arguments) {
	if name := args.text("profile", ""); name != "" {
		profile, err := profiles.Lookup(name)
		if err != nil {
			s.t.Fatal(err)
		}
		s.config.profile = profile
	}
	if n := args.number("retries", -1); n >= 0 {
		profile := *s.config.profile
		profile.Schedule = profile.Schedule.WithRetries(n)
		s.config.profile = &profile
	}
	if text := args.text("timeout", ""); text != "" {
		profile := *s.config.profile
		profile.Schedule.Expire = parseDuration(s.t, text)
		s.config.profile = &profile
	}
	s.config.settings.Backlog = args.number("backlog", s.config.settings.Backlog)
	s.config.settings.Somaxconn = args.number("somaxconn", s.config.settings.Somaxconn)
}

// each calls do with the connection of each client that a command is about.
func (s *session) each(args *arguments, do func(segment.Tuple, *client)) {
	first := netip.MustParseAddrPort(args.text("client", "192.0.2.1:40001"))
	to := args.text("server", "")
	for i := range args.number("count", 1) {
		tuple := tupleOf(netip.AddrPortFrom(first.Addr(), first.Port()+uint16(i)))
		if to != "" {
			tuple = segment.NewTuple(tuple.Client(), netip.MustParseAddrPort(to))
		}
		if s.clients[tuple] == nil {
			s.clients[tuple] = new(client)
		}
		do(tuple, s.clients[tuple])
	}
}

func (s *session) syn(args *arguments) { s.send(args, segment.SYN, "1000", "0") }
func (s *session) ack(args *arguments) { s.send(args, segment.ACK, "irs+1", "iss+1") }
func (s *session) rst(args *arguments) { s.send(args, segment.RST, "irs+1", "0") }

func (s *session) segment(args *arguments) {
	s.send(args, parseFlags(s.t, args.text("flags", "none")), "irs+1", "iss+1")
}

// send sends a segment from each client.
func (s *session) send(args *arguments, flags segment.Flags, seq, ack string) {
	s.each(args, func(tuple segment.Tuple, c *client) {
		sent := segment.Segment{
			Tuple:   tuple,
			Flags:   flags,
			Seq:     args.sequence("seq", seq, c),
			Ack:     args.sequence("ack", ack, c),
			Window:  uint16(args.number("win", 64240)),
			Options: args.options(),
			Payload: make([]byte, args.number("len", 0)),
		}
		if !s.audit.segment(received(s.t, sent)) {
			s.printf("%v belongs to the endpoint", tuple.Client())
			return
		}
		s.printOutput()
	})
}

func (s *session) advance(args *arguments) {
	end := s.audit.now + args.duration()
	for {
		at, ok := s.audit.m.NextDeadline()
		if !ok || at > end {
			break
		}
		s.tick(at)
	}
	s.audit.now = end
}

func (s *session) late(args *arguments) { s.tick(s.audit.now + args.duration()) }

// tick fires the timers at a time and prints it.
func (s *session) tick(at time.Duration) {
	s.audit.now = at
	s.printf("at %v", at)
	s.audit.tick()
	s.printOutput()
}

func (s *session) accept(args *arguments) {
	for range args.number("n", 1) {
		if !s.audit.accept() {
			s.printf("nothing to accept")
			return
		}
		s.printOutput()
	}
}

func (s *session) ended(args *arguments) {
	s.each(args, func(_ segment.Tuple, c *client) { s.audit.ended(c.entry); s.printOutput() })
}

func (s *session) failed(args *arguments) {
	s.each(args, func(_ segment.Tuple, c *client) { s.audit.failed(c.entry); s.printOutput() })
}

func (s *session) close(*arguments) {
	s.audit.close()
	s.printOutput()
}

func (s *session) queues(*arguments) {
	counts, _, _ := s.audit.m.Queues()
	s.printf("incomplete %d, completed %d, young %d", counts.Incomplete, counts.Completed, counts.Young)
	s.audit.m.Each(func(e *handshake.Entry) bool {
		s.printf("%v %v for %v, retransmitted %d", e.Value.Tuple.Client(), e.Place(), s.audit.now-e.Since, e.Retransmits())
		return true
	})
}

// parseFlags reads flags as Flags.String writes them.
func parseFlags(t *testing.T, text string) segment.Flags {
	t.Helper()
	var flags segment.Flags
	for name := range strings.SplitSeq(text, "|") {
		bit := slices.IndexFunc(flagBits, func(f segment.Flags) bool { return f.String() == name })
		if bit < 0 {
			t.Fatalf("unknown flag %s", name)
		}
		flags |= flagBits[bit]
	}
	return flags
}

var flagBits = []segment.Flags{
	0, segment.FIN, segment.SYN, segment.RST, segment.PSH, segment.ACK, segment.URG, segment.ECE, segment.CWR,
}

func (s *session) printf(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }
