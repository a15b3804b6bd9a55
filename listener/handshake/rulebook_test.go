package handshake_test

import (
	"slices"
	"time"

	"tcplab/listener/backlog"
)

// page is what is published about one system, written down a second time and
// as plainly as can be: of numbers, without the profiles' functions. b is the
// clamped backlog, inc and com are the queues' lengths, young is how many
// incomplete entries have not been sent a second SYN-ACK.
type page struct {
	clamp func(n, somaxconn int) int
	// atSYN says admit, drop, evict or cookie.
	atSYN func(inc, com, young, b int, s backlog.Settings) string
	// atReopen is atSYN for a client whose last connection is in TIME-WAIT, where
	// that makes a difference.
	atReopen func(inc, com, young, b int, s backlog.Settings) string
	// atACK says promote, drop, reset or park.
	atACK func(com, b int, s backlog.Settings) string
	// again and gone are seconds after the first SYN-ACK.
	again []int
	gone  int
	rst   bool // for an entry that is gone
	keeps bool // a connection that was reset before accept
	tires bool // cuts retransmissions while the queue is clogged (Linux)
}

// rulebook has a page for each profile.
var rulebook = map[string]page{
	"sum": {clamp: classic, atSYN: atMost(func(b int) int { return b }), atACK: promotes, again: []int{6, 30}, gone: 75, rst: true},
	"bsd": {clamp: classic, atSYN: atMost(oneAndAHalf), atACK: promotes, again: []int{6, 30}, gone: 75, rst: true},
	"hpux-11": {clamp: classic, atACK: promotes, again: []int{6, 30}, gone: 75, rst: true,
		atSYN: atMost(figure(1, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21))},
	"solaris-9": {clamp: classic, atACK: promotes, again: []int{3, 9, 21, 45, 93}, gone: 180,
		atSYN: atMost(figure(1, 2, 4, 5, 6, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22))},
	"freebsd-4": {clamp: unsigned, atSYN: whileCompleted, atACK: resetsBeyond(oneAndAHalf), again: []int{3, 9, 21}, gone: 45},
	"freebsd":   {clamp: unsigned, atSYN: always, atACK: resetsBeyond(oneAndAHalf), again: []int{1, 3, 7}, gone: 15},
	"netbsd":    {clamp: classic, atSYN: whileCompleted, atACK: resetsBeyond(oneAndAHalf), again: []int{3, 9, 21, 45}, gone: 75},
	"openbsd": {clamp: within(80, 128), atSYN: whileCompleted, atACK: resetsBeyond(oneAndAHalf),
		again: []int{3, 9, 21, 45}, gone: 75},
	"linux": {clamp: unsigned, atSYN: connRequest, atReopen: whileCompleted, atACK: ignoresBeyond, again: []int{1, 3, 7, 15, 31}, gone: 63, keeps: true, tires: true},
	"linux-2.6": {clamp: unsigned, atSYN: young26, atReopen: whileYoung, atACK: ignoresBeyond,
		again: []int{3, 9, 21, 45, 93}, gone: 189, keeps: true, tires: true},
	"linux-2.4": {clamp: unsigned, atSYN: young24, atReopen: whileYoung, atACK: ignoresBeyond,
		again: []int{3, 9, 21, 45, 93}, gone: 189, keeps: true, tires: true},
	"macos": {clamp: mac, atSYN: evictsOldest, atACK: promotes, again: []int{1, 3, 7, 15, 31, 63}, gone: 75, rst: true},
	"illumos": {clamp: within(1, 128), atSYN: illumosSYN, atACK: parksAt,
		again: []int{1, 3, 7, 15, 31, 63, 127}, gone: 180},
	"lwip": {clamp: func(n, most int) int { return max(1, min(classic(n, most), 255)) },
		atSYN: atMost(func(b int) int { return b }), atACK: promotes, again: []int{3, 9}, gone: 20},
}

// Clamps of the backlog.

func classic(n, somaxconn int) int {
	switch {
	case n == -1 || n > somaxconn:
		return somaxconn
	case n < 0:
		return 0
	}
	return n
}

func unsigned(n, somaxconn int) int {
	if n < 0 || n > somaxconn {
		return somaxconn
	}
	return n
}

func within(least, most int) func(int, int) int {
	return func(n, somaxconn int) int { return max(least, min(most, unsigned(n, somaxconn))) }
}

func mac(n, somaxconn int) int {
	if n <= 0 || n > 128 {
		n = 128
	}
	return min(n, somaxconn)
}

// Rules at the SYN.

func oneAndAHalf(b int) int { return b + b/2 + 1 }

func figure(row ...int) func(int) int { return func(b int) int { return row[b] } }

func atMost(most func(b int) int) func(int, int, int, int, backlog.Settings) string {
	return func(inc, com, _, b int, _ backlog.Settings) string {
		if inc+com < most(b) {
			return "admit"
		}
		return "drop"
	}
}

func whileCompleted(_, com, _, b int, _ backlog.Settings) string {
	if com <= b {
		return "admit"
	}
	return "drop"
}

func always(int, int, int, int, backlog.Settings) string { return "admit" }

// connRequest is the table of tcp_conn_request, row by row.
func connRequest(inc, com, _, b int, s backlog.Settings) string {
	if inc > b && s.Syncookies == 0 {
		return "drop"
	}
	if com > b {
		return "drop"
	}
	if inc > b || s.Syncookies == 2 {
		return "cookie"
	}
	if s.Syncookies == 0 && s.MaxSynBacklog-inc < s.MaxSynBacklog/4 {
		return "drop"
	}
	return "admit"
}

func young26(inc, com, young, b int, s backlog.Settings) string {
	want, size := max(8, min(b, s.MaxSynBacklog)), 1
	for size <= want {
		size += size
	}
	return youngest(inc, com, young, b, size, s)
}

func young24(inc, com, young, b int, s backlog.Settings) string {
	return youngest(inc, com, young, b, s.MaxSynBacklog, s)
}

func youngest(inc, com, young, b, synQueue int, s backlog.Settings) string {
	switch {
	case inc >= synQueue && s.Syncookies == 0, com > b && young > 1:
		return "drop"
	case inc >= synQueue:
		return "cookie"
	}
	return "admit"
}

// whileYoung is youngest without the SYN queue's size.
func whileYoung(_, com, young, b int, _ backlog.Settings) string {
	if com > b && young > 1 {
		return "drop"
	}
	return "admit"
}

func evictsOldest(inc, com, _, b int, _ backlog.Settings) string {
	switch {
	case inc+com < b:
		return "admit"
	case inc > 0:
		return "evict"
	}
	return "drop"
}

func illumosSYN(inc, com, _, b int, _ backlog.Settings) string {
	switch {
	case com >= b:
		return "drop"
	case inc >= b+1024:
		return "evict"
	}
	return "admit"
}

// Rules at the final ACK.

func promotes(int, int, backlog.Settings) string { return "promote" }

func resetsBeyond(most func(b int) int) func(int, int, backlog.Settings) string {
	return func(com, b int, _ backlog.Settings) string {
		if com >= most(b) {
			return "reset"
		}
		return "promote"
	}
}

func ignoresBeyond(com, b int, s backlog.Settings) string {
	switch {
	case com <= b:
		return "promote"
	case s.AbortOnOverflow:
		return "reset"
	}
	return "drop"
}

func parksAt(com, b int, _ backlog.Settings) string {
	if com >= b {
		return "park"
	}
	return "promote"
}

// noted is an entry in the rulebook's queues.
type noted struct {
	client int
	since  time.Duration
	resent int
	parked bool
}

// ledger keeps the queues by a page of the rulebook.
type ledger struct {
	page
	s        backlog.Settings
	b        int
	inc, com []*noted
	said     []string // of the last step
}

func newLedger(p page, s backlog.Settings) *ledger {
	return &ledger{page: p, s: s, b: p.clamp(s.Backlog, s.Somaxconn)}
}

func (l *ledger) say(what string, client int) { l.said = append(l.said, line(what, client)) }

func (l *ledger) young() int {
	n := 0
	for _, e := range l.inc {
		if !e.parked && e.resent == 0 {
			n++
		}
	}
	return n
}

func (l *ledger) syn(now time.Duration, client int) { l.arrive(now, client, l.atSYN) }

// reopen is a SYN of a client whose last connection is in TIME-WAIT.
func (l *ledger) reopen(now time.Duration, client int) {
	rule := l.atReopen
	if rule == nil {
		rule = l.atSYN
	}
	l.arrive(now, client, rule)
}

func (l *ledger) arrive(now time.Duration, client int, rule func(int, int, int, int, backlog.Settings) string) {
	switch rule(len(l.inc), len(l.com), l.young(), l.b, l.s) {
	case "drop":
		l.say("syn-dropped", client)
	case "cookie":
		l.say("cookie-sent", client)
	case "evict":
		i := slices.IndexFunc(l.inc, func(e *noted) bool { return !e.parked })
		if i < 0 {
			l.say("syn-dropped", client)
			return
		}
		l.say("evicted", l.inc[i].client)
		l.inc = slices.Delete(l.inc, i, i+1)
		fallthrough
	default:
		l.say("syn-admitted", client)
		l.inc = append(l.inc, &noted{client: client, since: now})
	}
}

func (l *ledger) ack(client int) {
	i := slices.IndexFunc(l.inc, func(e *noted) bool { return e.client == client })
	switch e := l.inc[i]; l.atACK(len(l.com), l.b, l.s) {
	case "promote":
		l.inc, l.com = slices.Delete(l.inc, i, i+1), append(l.com, e)
		l.say("promoted", client)
	case "reset":
		l.inc = slices.Delete(l.inc, i, i+1)
		l.say("ack-reset", client)
	case "park":
		e.parked = true
		l.say("parked", client)
	default:
		l.say("ack-dropped", client)
	}
}

// rst is the client's RST to a half-open entry.
func (l *ledger) rst(client int) {
	l.inc = slices.DeleteFunc(l.inc, func(e *noted) bool { return e.client == client })
	l.say("reset", client)
}

// ended is the client's RST to a connection that waits.
func (l *ledger) ended(client int) {
	same := func(e *noted) bool { return e.client == client }
	l.say("reset", client)
	if l.keeps && slices.ContainsFunc(l.com, same) {
		return
	}
	l.inc, l.com = slices.DeleteFunc(l.inc, same), slices.DeleteFunc(l.com, same)
	l.unpark()
}

func (l *ledger) accept() {
	l.say("accepted", l.com[0].client)
	l.com = l.com[1:]
	l.unpark()
}

// unpark lets those in that are established already.
func (l *ledger) unpark() {
	for {
		i := slices.IndexFunc(l.inc, func(e *noted) bool { return e.parked })
		if i < 0 || l.atACK(len(l.com), l.b, l.s) != "promote" {
			return
		}
		e := l.inc[i]
		l.inc, l.com = slices.Delete(l.inc, i, i+1), append(l.com, e)
		l.say("promoted", e.client)
	}
}

// due is when an entry's timer fires next.
func (l *ledger) due(e *noted) time.Duration {
	if e.resent < len(l.again) {
		return e.since + time.Duration(l.again[e.resent])*time.Second
	}
	return e.since + time.Duration(l.gone)*time.Second
}

// fire fires the timer of a half-open entry.
func (l *ledger) fire(e *noted) {
	most := len(l.again)
	if inc := len(l.inc); l.tires && 2*inc > max(8, l.b) {
		for young := 2 * l.young(); most > 2 && young <= inc; young *= 2 {
			most--
		}
	}
	if e.resent >= most {
		l.inc = slices.DeleteFunc(l.inc, func(other *noted) bool { return other == e })
		l.say("expired", e.client)
		return
	}
	e.resent++
	l.say("synack-retransmitted", e.client)
}
