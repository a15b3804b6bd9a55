package syn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/listener/segment"
)

// Config is what is sent.
type Config struct {
	To       netip.AddrPort // one of Status' listeners; zero: the first one
	Count    int            // SYNs, from as many clients
	Rate     int            // SYNs a second; zero: as fast as it goes
	Complete bool           // answer each SYN-ACK with the final ACK
	Wait     time.Duration  // how long nothing may come before it is over
	// Progress is told how many SYNs are sent, now and then. Nil: nobody is.
	Progress func(sent, all int)
}

// Result is what came of it.
type Result struct {
	To        netip.AddrPort `json:"to"`
	Sent      int            `json:"syns_sent"`
	Answered  int            `json:"answered"`   // clients that got a SYN-ACK
	Again     int            `json:"again"`      // SYN-ACKs sent again
	Completed int            `json:"final_acks"` // final ACKs sent
	Reset     int            `json:"reset"`      // RSTs received
}

// most is how many SYNs a call sends: as many half-open entries as fit in memory.
const most = 1_000_000

// Check refuses what cannot be sent to the instance.
func (c *Config) Check(status *endpoint.Status) error {
	if c.Count < 1 || c.Count > most {
		return fmt.Errorf("--count %d: give how many SYNs to send, 1 to %d", c.Count, most)
	}
	var there []netip.AddrPort
	for _, l := range status.Listeners {
		for _, link := range status.Links {
			there = append(there, netip.AddrPortFrom(link.Addr, l.Addr.Port())) // a listener serves both families
		}
	}
	switch {
	case len(there) == 0:
		return fmt.Errorf("the instance on %s listens nowhere", status.Dev)
	case !c.To.IsValid():
		c.To = there[0]
	case !slices.Contains(there, c.To):
		return fmt.Errorf("%v is refused: crafted SYNs go to a running instance of tcplab and to nothing else; the one on %s listens at %v", c.To, status.Dev, there)
	}
	return nil
}

// Run sends SYNs to the instance whose status is given, from within its network
// namespace, and returns when each is answered, or nothing has come for
// Config.Wait, or ctx has ended, which is no error.
func Run(ctx context.Context, cfg Config, status *endpoint.Status) (result Result, err error) {
	if err := cfg.Check(status); err != nil {
		return result, err
	}
	if remedy := forwards(status.Dev, cfg.To.Addr()); remedy != "" {
		return result, fmt.Errorf("this host forwards packets: answers to clients that do not exist would leave it; forbid that with: %s", remedy)
	}
	s, err := openSocket(status.Dev, cfg.To.Addr())
	if err != nil {
		return result, err
	}
	r := &run{cfg: cfg, socket: s, from: sourcesFor(cfg.To.Addr(), status.Links), heard: make(chan struct{}, 1)}
	r.clients = make(map[netip.AddrPort]bool)
	ended := make(chan error, 1)
	go func() { ended <- r.receive() }()
	sent, err := r.send(ctx)
	if err == nil {
		r.settle(ctx, sent)
	}
	_ = s.Close() // ends receive
	err = errors.Join(err, <-ended)
	r.result.To, r.result.Sent = cfg.To, sent
	return r.result, err
}

// run is a call of Run.
type run struct {
	cfg    Config
	socket *socket
	from   sources
	heard  chan struct{} // something came

	// Of the goroutine that receives, until it has ended.
	clients map[netip.AddrPort]bool // those that were answered
	result  Result
}

// send sends the SYNs and returns how many it sent.
func (r *run) send(ctx context.Context) (sent int, err error) {
	var packet []byte
	for began := time.Now(); sent < r.cfg.Count; sent++ {
		due := time.Duration(0)
		if r.cfg.Rate > 0 {
			due = time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(r.cfg.Rate)))
		}
		if ended := ctx.Err() != nil || due > 0 && !pause(ctx, due); ended {
			return sent, nil
		}
		packet = segment.AppendRequest(packet[:0], &segment.Segment{
			Tuple: segment.NewTuple(r.from.client(sent), r.cfg.To), Seq: isn(sent), Flags: segment.SYN, Window: 64240,
			Options: segment.Options{MSS: 1460, HasMSS: true, SACKPermitted: true, WindowScale: 7, HasWindowScale: true},
		})
		err := r.socket.send(packet)
		for errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) { // the interface's queue is full: txqueuelen
			if !pause(ctx, time.Millisecond) {
				return sent, nil
			}
			err = r.socket.send(packet)
		}
		if err != nil {
			return sent, fmt.Errorf("sending SYN %d to %v: %w", sent+1, r.cfg.To, err)
		}
		if r.cfg.Progress != nil && sent%256 == 0 {
			r.cfg.Progress(sent, r.cfg.Count)
		}
	}
	return sent, nil
}

// isn is the initial sequence number of a client.
func isn(i int) uint32 { return uint32(i)*64000 + 1 }

// pause waits for d; false when ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// settle waits until nothing has come for a while.
func (r *run) settle(ctx context.Context, sent int) {
	if r.cfg.Progress != nil {
		r.cfg.Progress(sent, r.cfg.Count)
	}
	for {
		select {
		case <-r.heard:
		case <-time.After(r.cfg.Wait):
			return
		case <-ctx.Done():
			return
		}
	}
}

// receive counts what comes back, until the socket is closed.
func (r *run) receive() error {
	packet := make([]byte, 64<<10)
	for {
		n, err := r.socket.Read(packet)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case errors.Is(err, unix.ENOBUFS):
			continue
		case err != nil:
			return fmt.Errorf("receiving answers: %w", err)
		}
		var s segment.Segment
		if segment.Parse(packet[:n], &s) != nil || s.Tuple.Client() != r.cfg.To || !r.ours(s.Tuple.Server().Addr()) {
			continue
		}
		if err := r.hear(&s); err != nil {
			return err
		}
		select {
		case r.heard <- struct{}{}:
		default:
		}
	}
}

// ours reports whether an answer is to one of our clients.
func (r *run) ours(client netip.Addr) bool {
	return slices.ContainsFunc(r.from.nets, func(n netip.Prefix) bool { return n.Contains(client) })
}

// hear takes an answer, whose Server is our client.
func (r *run) hear(s *segment.Segment) error {
	client := s.Tuple.Server()
	switch {
	case s.Flags.Has(segment.RST):
		r.result.Reset++
	case s.Flags.Has(segment.SYN | segment.ACK):
		if r.clients[client] {
			r.result.Again++
		} else {
			r.clients[client] = true
			r.result.Answered++
		}
		if !r.cfg.Complete {
			return nil
		}
		ack := segment.AppendRequest(nil, &segment.Segment{
			Tuple: s.Tuple.Reverse(), Seq: s.Ack, Ack: s.Seq + 1, Flags: segment.ACK, Window: 502,
		})
		if err := r.socket.send(ack); err == nil {
			r.result.Completed++
		} else if !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("sending a final ACK to %v: %w", r.cfg.To, err)
		}
	}
	return nil
}
