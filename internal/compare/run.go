package compare

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tcplab/listener/segment"
)

// settle is how long is listened for more after the last step.
const settle = 300 * time.Millisecond

// barrierTimeout bounds how long a server may take to answer the barrier.
const barrierTimeout = 10 * time.Second

// Run plays an exchange against one server and returns what it did.
func Run(ctx context.Context, x *Exchange, kind Kind) (t *Transcript, err error) {
	srv, err := newServer(kind)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", x.Name, kind, err)
	}
	p := &player{
		server:   srv,
		settings: maps.Clone(settingDefaults),
		clients:  make(map[byte]*recorder),
		echoes:   make(chan uint16, 64),
		heard:    make(chan struct{}),
	}
	go p.hear()
	defer func() {
		closeErr := srv.close()
		<-p.heard
		if err = errors.Join(err, closeErr); err != nil {
			t, err = nil, fmt.Errorf("%s: %s: %w", x.Name, kind, err)
		}
	}()
	for _, step := range x.Steps {
		if err := p.step(ctx, step.Do); err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", step.Line, step.Text, err)
		}
	}
	if err := pause(ctx, settle); err != nil {
		return nil, err
	}
	return p.transcript()
}

// player plays one exchange against one server.
type player struct {
	server    server
	settings  map[string]int
	listening bool
	accepts   []string          // what accept returned, a line each
	before    map[string]uint64 // counters at listen
	lastCount map[string]uint64 // counters before the listening socket was closed

	echoes   chan uint16   // sequence numbers of the barriers that came back
	barriers uint16        // sent
	heard    chan struct{} // closed when hear has ended

	mu      sync.Mutex // guards clients
	clients map[byte]*recorder
}

func (p *player) step(ctx context.Context, do Action) error {
	switch do := do.(type) {
	case Set:
		maps.Copy(p.settings, do.Values)
		if p.listening {
			return p.server.setBacklog(p.settings["backlog"])
		}
		return nil
	case Listen:
		if err := p.server.listen(p.settings); err != nil {
			return err
		}
		p.listening = true
		var err error
		p.before, err = p.server.counters()
		return err
	case Wait:
		return pause(ctx, do.For)
	case Accept:
		return p.accept()
	case Finish:
		return p.server.finish()
	case Close:
		var err error
		if p.lastCount, err = p.server.counters(); err != nil {
			return err
		}
		return p.server.closeListener()
	case Send:
		return p.send(ctx, &do)
	}
	return fmt.Errorf("unknown step %T", do)
}

// accept takes a connection and writes down whose it was.
func (p *player) accept() error {
	peer, err := p.server.accept()
	if errors.Is(err, errNothing) {
		p.accepts = append(p.accepts, "accept: nothing there")
		return nil
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for letter, r := range p.clients {
		if r.tuple.Client() == peer {
			p.accepts = append(p.accepts, fmt.Sprintf("accept: %c", letter))
		}
	}
	return nil
}

// pause waits while what comes is noted.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send sends a client's segment and waits until the server has dealt with it:
// it has when it answers the ping behind it.
func (p *player) send(ctx context.Context, s *Send) error {
	p.mu.Lock()
	r := p.clients[s.Client]
	if r == nil {
		r = &recorder{client: newClient(s.Client)}
		p.clients[s.Client] = r
	}
	packet, err := r.packet(s)
	r.last = time.Now()
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if err := p.server.send(packet); err != nil {
		return err
	}
	return p.barrier(ctx)
}

func (p *player) barrier(ctx context.Context) error {
	p.barriers++
	if err := p.server.send(echoRequest(p.barriers)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	for {
		select {
		case n := <-p.echoes:
			if n == p.barriers {
				return nil
			}
		case <-p.heard:
			return errors.New("the wire is closed")
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer a ping: %w", ctx.Err())
		}
	}
}

// hear writes down what the server sends until the wire is closed.
func (p *player) hear() {
	defer close(p.heard)
	buf := make([]byte, 64<<10)
	for {
		n, err := p.server.receive(buf)
		if err != nil {
			return
		}
		at := time.Now()
		ip, err := segment.ParseIP(buf[:n])
		if err != nil {
			continue
		}
		if seq, ok := echoReply(&ip); ok {
			p.echoes <- seq
			continue
		}
		var s segment.Segment
		if err := segment.ParseTCP(&ip, &s); err != nil {
			continue
		}
		s.Tuple = s.Tuple.Reverse()
		header, _ := segment.TCPHeader(&ip) // it was parsed just now
		p.mu.Lock()
		for _, r := range p.clients {
			if r.tuple == s.Tuple {
				r.record(at, &s, header[20:])
			}
		}
		p.mu.Unlock()
	}
}

// transcript is what was heard, by client, and the counters that moved.
func (p *player) transcript() (*Transcript, error) {
	after := p.lastCount
	if after == nil {
		var err error
		if after, err = p.server.counters(); err != nil {
			return nil, err
		}
	}
	t := &Transcript{Counters: make(map[string]uint64)}
	for _, name := range comparedCounters {
		t.Counters[name] = after[name] - p.before[name]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, letter := range slices.Sorted(maps.Keys(p.clients)) {
		t.Lines = append(t.Lines, p.clients[letter].lines...)
	}
	t.Lines = append(t.Lines, p.accepts...)
	return t, nil
}
