package handshake_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tcplab/listener/segment"
)

// arguments are the key=value pairs of a command line. Each has to be asked for
// before finish, so that a misspelt one is not overlooked.
type arguments struct {
	t     *testing.T
	line  string
	pairs map[string]string
	asked map[string]bool
}

func parseArguments(t *testing.T, line string, words []string) *arguments {
	t.Helper()
	a := &arguments{t: t, line: line, pairs: make(map[string]string), asked: make(map[string]bool)}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		a.pairs[key] = value
	}
	return a
}

// finish refuses arguments that nobody asked for.
func (a *arguments) finish() {
	a.t.Helper()
	for key := range a.pairs {
		if !a.asked[key] {
			a.t.Fatalf("unknown argument %s: %s", key, a.line)
		}
	}
}

// text is the value of key, or what it is by default.
func (a *arguments) text(key, byDefault string) string {
	a.asked[key] = true
	if value, ok := a.pairs[key]; ok {
		return value
	}
	return byDefault
}

// given reports whether key is there.
func (a *arguments) given(key string) bool {
	a.asked[key] = true
	_, ok := a.pairs[key]
	return ok
}

// number is the value of key as a number.
func (a *arguments) number(key string, byDefault int) int {
	a.t.Helper()
	n, err := strconv.Atoi(a.text(key, strconv.Itoa(byDefault)))
	if err != nil {
		a.t.Fatalf("%v: %s", err, a.line)
	}
	return n
}

// sequence is a sequence number: a plain one, or relative to the initial ones
// of the client's last SYN-ACK, as irs+1 or iss-5.
func (a *arguments) sequence(key, byDefault string, c *client) uint32 {
	a.t.Helper()
	text := a.text(key, byDefault)
	base := uint32(0)
	for name, value := range map[string]uint32{"irs": c.irs, "iss": c.iss} {
		if rest, ok := strings.CutPrefix(text, name); ok {
			base, text = value, "0"+rest
		}
	}
	sum := int64(0)
	for _, term := range strings.Split(strings.ReplaceAll(text, "-", "+-"), "+") {
		n, err := strconv.ParseInt(term, 10, 64)
		if err != nil {
			a.t.Fatalf("%v: %s", err, a.line)
		}
		sum += n
	}
	return base + uint32(sum)
}

// options are the TCP options that the command gives.
func (a *arguments) options() segment.Options {
	return segment.Options{
		HasMSS: a.given("mss"), MSS: uint16(a.number("mss", 0)),
		HasWindowScale: a.given("ws"), WindowScale: uint8(a.number("ws", 0)),
		SACKPermitted: a.given("sack"),
		HasTimestamps: a.given("ts"), TSVal: uint32(a.number("ts", 0)), TSEcr: uint32(a.number("ecr", 0)),
	}
}

// duration is the one argument that is a time.
func (a *arguments) duration() time.Duration {
	a.t.Helper()
	for key := range a.pairs {
		a.asked[key] = true
		return parseDuration(a.t, key)
	}
	a.t.Fatalf("no time given: %s", a.line)
	return 0
}

func parseDuration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
