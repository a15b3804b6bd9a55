package main

import (
	"context"
	"strconv"
	"testing"
	"time"

	"tcplab/internal/netns"
)

// Under a flood of 10,000 SYN/s the view answers keys and says what it leaves
// out, and the instance serves whoever gets a place.
func TestWatchUnderAFlood(t *testing.T) {
	b := newBench(t)
	b.up("--backlog", "8", "--profile", "linux") // with SYN cookies: a flood shuts nobody out
	w := b.at(b.tcplab("watch"))
	w.await("incomplete 0 of 9")

	const perSecond = 10_000
	ctx, stop := context.WithCancel(b.ctx)
	sent := make(chan int, 1)
	go func() {
		n, err := b.Flood(ctx, netns.Flood{To: target, Rate: perSecond})
		if err != nil {
			t.Error(err)
		}
		sent <- n
	}()
	defer stop()

	w.await("incomplete 9 of 9, full", "came too fast to be shown", "SYN/s")
	for n := range 5 { // a key is answered while they come
		backlog := strconv.Itoa(100 + n)
		w.press(backlog + "\r")
		w.await("backlog " + backlog)
		conn, err := b.Dial(b.ctx, target) // and so is a client
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
			t.Error(err)
		}
		if n, err := conn.Read(make([]byte, 100)); n == 0 {
			t.Errorf("no answer: %v", err)
		}
		_ = conn.Close()
	}
	const enough = 2 * perSecond // all of them with the view open, however long a busy machine takes
	for b.status().Totals["SYNsReceived"] < enough {
		w.press("+")
		w.await("SYN/s")
	}
	stop()
	n := <-sent
	status := b.status()
	t.Logf("%d SYNs sent, %d received, up %v", n, status.Totals["SYNsReceived"], time.Since(status.Started))
	w.press("q")
	w.ends(0)
}
