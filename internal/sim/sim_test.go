package sim

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/listener/backlog/profiles"
	"tcplab/tun/tunfault"
	"tcplab/tun/tuntest"
)

var (
	seeds     = flag.Int("seeds", 300, "how many lines to try")
	firstSeed = flag.Uint64("first-seed", 1, "the first of them")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	atOnce     = 100 // lines, which wait for timeouts most of the time
	clients    = 4   // a line
	abandoned  = 3   // half-open entries that nobody completes
	synTimeout = time.Second
	patience   = 3 * time.Minute // for a line
)

func TestBadLines(t *testing.T) {
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	defer running.Wait()
	for i := range *seeds {
		if t.Failed() {
			return
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			seed := *firstSeed + uint64(i)
			if err := tryLine(t, seed); err != nil {
				t.Errorf("seed %d (go test ./internal/sim -args -seeds 1 -first-seed %d): %v", seed, seed, err)
			}
		})
	}
}

// tryLine has clients talk over the line of this seed.
func tryLine(t *testing.T, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 0))
	some := func(most float64) float64 { return random.Float64() * most }
	dev := tuntest.New(mtu)
	if random.IntN(2) == 1 {
		dev = tuntest.NewOffload(mtu)
	}
	line, err := tunfault.Wrap(dev, tunfault.Config{
		Seed: seed, Loss: some(0.06), Duplicate: some(0.1), Reorder: some(0.2), Corrupt: some(0.03), Truncate: some(0.03),
	})
	if err != nil {
		return err
	}
	cfg := endpoint.Defaults()
	cfg.Device, cfg.Links, cfg.App = line, cfg.Links[:1], "echo"
	all := profiles.All()
	cfg.Profile = all[random.IntN(len(all))]
	cfg.Backlog.Backlog = 1 + random.IntN(4)
	cfg.Backlog.Syncookies = random.IntN(2)
	cfg.SYNTimeout = synTimeout
	ep, err := endpoint.Up(cfg)
	if err != nil {
		return err
	}
	h := newHost(t, dev)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err = talk(ctx, ep, h, random); err != nil {
		s := ep.Status(endpoint.Everything)
		err = fmt.Errorf("%w\n%s: %v; %v\nthe last packets, as the host sees them:\n%s",
			err, s.Listeners[0].RuleText(), s.Totals, s.Link, h.traceText())
	}
	h.close()
	return errors.Join(err, ep.Close())
}

// talk runs the clients and looks at what is left of them.
func talk(ctx context.Context, ep *endpoint.Endpoint, h *host, random *rand.Rand) error {
	watched := ep.Subscribe(1<<12, 0)
	defer watched.Close()
	errs := make([]error, clients)
	var talking sync.WaitGroup
	for i := range clients {
		data := make([]byte, random.IntN(12<<10))
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		talking.Go(func() { errs[i] = echo(ctx, h, data) })
	}
	for i := range abandoned {
		h.abandon(i)
	}
	talking.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := drained(ctx, ep); err != nil {
		return err
	}
	return withinLimits(ctx, watched)
}

// echo sends data until it has come back whole. A connection that is reset, as
// profiles do with a final ACK at a full queue, or one that the server gave up is
// tried again, as a program would.
func echo(ctx context.Context, h *host, data []byte) error {
	for {
		err := echoOnce(ctx, h, data)
		if err == nil || ctx.Err() != nil || errors.Is(err, errWrong) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

var errWrong = errors.New("what came back is not what was sent")

func echoOnce(ctx context.Context, h *host, data []byte) error {
	conn, err := h.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(data)
		sent <- errors.Join(err, conn.CloseWrite())
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		_ = conn.Close() // so that the writer ends
	}
	if err := errors.Join(err, <-sent); err != nil {
		if !bytes.HasPrefix(data, got) {
			return fmt.Errorf("%w: %d bytes before the end", errWrong, len(got))
		}
		return err
	}
	if !bytes.Equal(got, data) {
		return fmt.Errorf("%w: %d bytes of %d", errWrong, len(got), len(data))
	}
	return nil
}

// drained waits until nothing is left in the queues, and no translation.
func drained(ctx context.Context, ep *endpoint.Endpoint) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s := ep.Status(endpoint.Everything)
		queues := &s.Listeners[0]
		// A late copy of an ACK with a SYN cookie makes a connection that its client
		// does not know of: that is what a cookie costs, in a kernel too.
		ghosts := s.Totals["SyncookiesRecv"] > 0
		if queues.Incomplete.Length == 0 && queues.Completed.Length == 0 && (s.Connections == 0 || ghosts) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("left in the end: incomplete %+v, completed %+v, %d connections",
				queues.Incomplete, queues.Completed, s.Connections)
		}
	}
}

// mostQueued is what a profile allows with an effective backlog b: in both
// queues together, or in the completed queue alone (docs/profiles.md).
func mostQueued(profile string, b int) (most int, both bool) {
	switch profile {
	case "sum", "macos", "lwip":
		return b, true
	case "bsd", "solaris-9":
		return 3*b/2 + 1, true
	case "hpux-11":
		return 3 * b / 2, true
	case "freebsd-4", "freebsd", "netbsd", "openbsd":
		return 3*b/2 + 1, false
	case "illumos":
		return b, false
	}
	return b + 1, false // Linux
}

// withinLimits looks whether a queue ever held more than was allowed.
func withinLimits(ctx context.Context, s *events.Subscription) error {
	for s.Waiting() > 0 {
		e, err := s.Next(ctx)
		if err != nil {
			return err
		}
		most, both := mostQueued(e.Profile.Name, e.Limits.Effective)
		have := e.Counts.Completed
		if both {
			have = e.Counts.Total()
		}
		if have > most {
			return fmt.Errorf("%v: %d queued, of %d that %s allows", &e.Event, have, most, e.Profile.Name)
		}
	}
	return nil
}
