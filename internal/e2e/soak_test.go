package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/listener/backlog/profiles"
	"tcplab/tun"
	"tcplab/tun/tunfault"
)

// scripts/soak.sh runs TestSoak for ten minutes.
var (
	soakFor  = flag.Duration("soak", 30*time.Second, "how long TestSoak has clients talk")
	soakSeed = flag.Uint64("soak-seed", uint64(time.Now().UnixNano()), "what the faults of TestSoak are made of")
)

// Clients of the kernel talk through a real interface that loses, repeats,
// reorders, corrupts and truncates packets, while half-open connections come that
// nobody completes. Bytes arrive as they were sent, no queue is ever longer than
// it may be, and in the end all is as before.
func TestSoak(t *testing.T) { // not parallel: it looks at what the whole process holds
	const (
		clients    = 24
		synTimeout = 10 * time.Second
		backlog    = 6
	)
	t.Logf("go test ./internal/e2e -run Soak -args -soak %v -soak-seed %d", *soakFor, *soakSeed)
	l := up(t, func(cfg *endpoint.Config) {
		dev, err := tun.Create(tun.Config{Name: cfg.Dev, Host: []netip.Prefix{cfg.Links[0].Host}, Offload: true})
		if err == nil {
			cfg.Device, err = tunfault.Wrap(dev, tunfault.Config{
				Seed: *soakSeed, Loss: 0.01, Duplicate: 0.02, Reorder: 0.05, Corrupt: 0.005, Truncate: 0.005,
			})
		}
		if err != nil {
			t.Error(err)
		}
		cfg.Links, cfg.App, cfg.Profile = cfg.Links[:1], "echo", profiles.BSD
		cfg.Backlog.Backlog, cfg.SYNTimeout = backlog, synTimeout
	})
	before := l.footprint()
	began := time.Now()
	ctx, cancel := context.WithDeadline(l.ctx, began.Add(*soakFor))
	defer cancel()

	var talked, moved atomic.Int64
	errs := make([]error, clients)
	var talking sync.WaitGroup
	for i := range errs {
		talking.Go(func() {
			random := rand.New(rand.NewPCG(*soakSeed, uint64(i)))
			for ctx.Err() == nil && errs[i] == nil {
				var n int
				n, errs[i] = l.talk(random)
				talked.Add(1)
				moved.Add(int64(n))
			}
			if errs[i] != nil {
				cancel()
			}
		})
	}
	talking.Go(func() { // so few that they leave room
		for ctx.Err() == nil {
			_, err := l.ns.Flood(ctx, netns.Flood{To: server, Rate: 1, Count: 1})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(synTimeout / 3):
			}
		}
	})
	most := 0
	for ctx.Err() == nil {
		s := l.Status(0)
		queued := s.Listeners[0].Incomplete.Length + s.Listeners[0].Completed.Length
		if most = max(most, queued); queued > 3*backlog/2+1 {
			t.Errorf("%d queued, of %d", queued, 3*backlog/2+1)
		}
		time.Sleep(5 * time.Millisecond)
	}
	talking.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	l.settled(before)
	s := l.Status(0)
	t.Logf("%d conversations, %d MB, at most %d queued, %d SYNs dropped, %d expired", talked.Load(), moved.Load()>>20, most, s.Totals["SYNsDropped"], s.Totals["Expired"])
	if talked.Load() < clients || s.Totals["SYNsDropped"] == 0 || s.Link["RetransSegs"] == 0 {
		t.Errorf("the line was not bad enough to show anything: %v, %v", s.Totals, s.Link)
	}
	for _, never := range []string{"AdoptionsFailed", "UnaskedSYNACKs", "OrphanedTranslations"} {
		if n := s.Link[never]; n != 0 {
			t.Errorf("%s is %d", never, n)
		}
	}
}

// talk has one client say something, hear it again, and close. What it waits for
// comes, however often it has to be sent again.
func (l *lab) talk(random *rand.Rand) (n int, err error) {
	ctx, cancel := context.WithTimeout(l.ctx, 2*time.Minute)
	defer cancel()
	conn, err := l.ns.Dial(ctx, server)
	if err != nil {
		return 0, fmt.Errorf("connecting: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return 0, err
	}
	sent := make([]byte, 1+random.IntN(200_000))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(sent)
		written <- err
	}()
	got := make([]byte, len(sent))
	m, err := io.ReadFull(conn, got)
	if err := errors.Join(err, <-written); err != nil {
		return m, fmt.Errorf("%d of %d bytes: %w\n%s", m, len(sent), err, l.bothSides(conn.LocalAddr().(*net.TCPAddr).Port))
	}
	if !bytes.Equal(got, sent) {
		return m, fmt.Errorf("%d bytes came back changed", m)
	}
	return m, nil
}

// bothSides is what the kernel and the endpoint say of the connection of a client.
func (l *lab) bothSides(port int) string {
	out, err := l.ns.Output(exec.Command("ss", "-tnioem", "sport", "=", strconv.Itoa(port)))
	if err != nil {
		return err.Error()
	}
	for _, s := range l.Sockets(endpoint.Everything).Sockets {
		if int(s.Peer.Port()) == port {
			out = fmt.Appendf(out, "%+v\n", s)
		}
	}
	return string(out)
}
