package compare

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tcplab/listener/segment"
)

// Exchange is a script that was read.
type Exchange struct {
	Name  string
	About string // the comment at its top
	Steps []Step
}

// Step is one line of an exchange.
type Step struct {
	Line int
	Text string // as it stands in the file
	Do   Action
}

// Action is what a step does: one of Set, Listen, Send, Wait, Accept, Finish,
// Close.
type Action any

// Set changes settings before Listen, or the backlog after it, as a second
// listen(2).
type Set struct{ Values map[string]int }

// Listen opens the listening socket.
type Listen struct{}

// Wait notes what the server sends for a time.
type Wait struct{ For time.Duration }

// Accept takes a connection.
type Accept struct{}

// Close closes the listening socket.
type Close struct{}

// Finish closes the connection that was accepted first.
type Finish struct{}

// Send is a segment of a client's.
type Send struct {
	Client  byte
	Flags   segment.Flags
	Seq     *uint32 // relative to the client's initial sequence number
	Ack     *uint32 // relative to the server's
	Window  uint16
	Options []Option
	Data    []byte
	BadSum  bool
	NoTS    bool
}

// Option is a TCP option of a client's segment.
type Option struct {
	Kind    byte
	Data    []byte
	EcrLast bool // the echoed timestamp is the server's last one
}

// The settings that exchanges can set, with their defaults: the kernel's.
var settingDefaults = map[string]int{
	"backlog": 8, "somaxconn": 4096, "tcp_max_syn_backlog": 2048, "tcp_syncookies": 1,
	"tcp_synack_retries": 5, "tcp_abort_on_overflow": 0, "defer_accept": 0,
}

// ReadExchange reads an exchange. Errors name the line.
func ReadExchange(name string, r io.Reader) (*Exchange, error) {
	x := &Exchange{Name: name}
	var about []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(text, "#") && len(x.Steps) == 0 {
			about = append(about, strings.TrimSpace(text[1:]))
		}
		code := strings.TrimSpace(cutComment(text))
		if code == "" {
			continue
		}
		do, err := parseStep(code)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %q: %w", name, n, code, err)
		}
		x.Steps = append(x.Steps, Step{Line: n, Text: code, Do: do})
	}
	x.About = strings.Join(about, " ")
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if x.About == "" || len(x.Steps) == 0 {
		return nil, fmt.Errorf("%s: an exchange begins with a comment that says what it is about, and has steps", name)
	}
	return x, nil
}

// cutComment removes a comment, unless its # stands in quotes.
func cutComment(text string) string {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '#' && !quoted:
			return text[:i]
		}
	}
	return text
}

func parseStep(code string) (Action, error) {
	fields := strings.Fields(code)
	switch fields[0] {
	case "set":
		return parseSet(fields[1:])
	case "listen":
		return Listen{}, noMore(fields)
	case "accept":
		return Accept{}, noMore(fields)
	case "close":
		return Close{}, noMore(fields)
	case "finish":
		return Finish{}, noMore(fields)
	case "wait":
		if len(fields) != 2 {
			return nil, fmt.Errorf("want wait and a duration")
		}
		d, err := time.ParseDuration(fields[1])
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("bad duration %q: want one like 1.5s", fields[1])
		}
		return Wait{For: d}, nil
	}
	if len(fields[0]) == 1 && fields[0][0] >= 'a' && fields[0][0] <= 'z' {
		return parseSend(code)
	}
	return nil, fmt.Errorf("unknown step: want set, listen, a client's letter, wait, accept, finish or close")
}

func noMore(fields []string) error {
	if len(fields) > 1 {
		return fmt.Errorf("nothing goes behind %s", fields[0])
	}
	return nil
}

func parseSet(fields []string) (Action, error) {
	set := Set{Values: make(map[string]int)}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		if _, known := settingDefaults[name]; !ok || !known {
			return nil, fmt.Errorf("unknown setting %q", field)
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, fmt.Errorf("setting %s: %w", name, err)
		}
		set.Values[name] = n
	}
	return set, nil
}

// parseSend reads a segment of a client's.
func parseSend(code string) (Action, error) {
	head, data, hasData := strings.Cut(code, `"`)
	s := Send{Client: code[0], Window: 65535}
	if hasData {
		text, rest, closed := strings.Cut(data, `"`)
		if !closed {
			return nil, fmt.Errorf("data has no closing quote")
		}
		s.Data = []byte(text)
		head += " " + rest
	}
	fields := strings.Fields(head)[1:]
	if len(fields) == 0 {
		return nil, fmt.Errorf("want flags behind the client")
	}
	for _, flag := range fields[0] {
		bit, ok := flagLetters[flag]
		if !ok {
			return nil, fmt.Errorf("unknown flag %q: want letters of SFRP.UEW, - for none", flag)
		}
		s.Flags |= bit
	}
	for _, field := range fields[1:] {
		if err := s.field(field); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var flagLetters = map[rune]segment.Flags{
	'S': segment.SYN, 'F': segment.FIN, 'R': segment.RST, 'P': segment.PSH, '.': segment.ACK,
	'U': segment.URG, 'E': segment.ECE, 'W': segment.CWR, '-': 0,
}

func (s *Send) field(field string) error {
	name, value, _ := strings.Cut(field, "=")
	number := func(bits int) (uint32, error) {
		n, err := strconv.ParseInt(value, 0, 64)
		if err != nil || n < -1<<31 || n >= 1<<bits {
			return 0, fmt.Errorf("bad number in %q", field)
		}
		return uint32(n), nil
	}
	switch name {
	case "sackok":
		s.Options = append(s.Options, Option{Kind: segment.OptionSACKPermitted})
	case "nop":
		s.Options = append(s.Options, Option{Kind: segment.OptionNop})
	case "eol":
		s.Options = append(s.Options, Option{Kind: segment.OptionEnd})
	case "badsum":
		s.BadSum = true
	case "nots":
		s.NoTS = true
	case "raw":
		raw, err := hex.DecodeString(value)
		if err != nil || len(raw) == 0 {
			return fmt.Errorf("bad hex in %q", field)
		}
		s.Options = append(s.Options, Option{Kind: rawOption, Data: raw})
	case "seq", "ack":
		n, err := number(32)
		if err != nil {
			return err
		}
		if name == "seq" {
			s.Seq = &n
		} else {
			s.Ack = &n
		}
	case "win", "mss", "ws", "ts", "ecr":
		return s.numbered(name, value, number)
	default:
		return fmt.Errorf("unknown field %q", field)
	}
	return nil
}

// rawOption marks bytes that are put into the options area as they are.
const rawOption = 255

func (s *Send) numbered(name, value string, number func(int) (uint32, error)) error {
	if name == "ecr" && value == "last" {
		return s.echo(0, true)
	}
	n, err := number(map[string]int{"win": 16, "mss": 16, "ws": 8, "ts": 32, "ecr": 32}[name])
	if err != nil {
		return err
	}
	switch name {
	case "win":
		s.Window = uint16(n)
	case "mss":
		s.Options = append(s.Options, Option{Kind: segment.OptionMSS, Data: []byte{byte(n >> 8), byte(n)}})
	case "ws":
		s.Options = append(s.Options, Option{Kind: segment.OptionWindowScale, Data: []byte{byte(n)}})
	case "ts":
		data := []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n), 0, 0, 0, 0}
		s.Options = append(s.Options, Option{Kind: segment.OptionTimestamps, Data: data})
	case "ecr":
		return s.echo(n, false)
	}
	return nil
}

// echo sets the echoed timestamp of the ts option before it.
func (s *Send) echo(n uint32, last bool) error {
	for i := range s.Options {
		if o := &s.Options[i]; o.Kind == segment.OptionTimestamps {
			copy(o.Data[4:], []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
			o.EcrLast = last
			return nil
		}
	}
	return fmt.Errorf("ecr without ts before it")
}
