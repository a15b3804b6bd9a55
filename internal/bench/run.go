package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"tcplab/internal/netns"
)

// Config says how much is measured.
type Config struct {
	// Rounds is how often each load is played; zero is 5.
	Rounds int
	// For is how long each load lasts; zero is a second.
	For time.Duration
	// HalfOpen is how many half-open connections tcplab is to hold at most; zero
	// is a million.
	HalfOpen int
	// Entries is how many connections each stack holds while its memory is
	// measured; zero is 10,000.
	Entries int
	// Patience is how long a client waits for its connection and for its answer;
	// zero is 20 s, as a SYN that was lost is sent again after 1, 3, 7 and 15 s.
	Patience time.Duration
	// Worker is this program, with the arguments after which an order for Work is
	// the last one.
	Worker []string
	// Progress is told what is being measured. Nil: nobody.
	Progress func(what string)
}

// Quick is a Config for a look: a round of short loads.
func (c Config) Quick() Config {
	c.Rounds, c.For, c.Patience = 1, 300*time.Millisecond, 3*time.Second
	c.HalfOpen, c.Entries = 20_000, 2000
	return c
}

// gvisorEntries is how many connections gVisor's listener holds at most, whose
// backlog is 4096: beyond that it stores nothing and sends cookies.
const gvisorEntries = 4000

// entries is how many connections a stack holds while its memory is measured.
func (r *runner) entries(s Stack) int {
	if s == GVisor {
		return min(r.Entries, gvisorEntries)
	}
	return r.Entries
}

// atOnce is how many clients there are at once, as ab -c 100.
const atOnce = 100

type runner struct {
	Config
	ctx     context.Context
	program []string
	report  *Report
}

// Run measures everything, in network namespaces that it makes, and needs root
// for that. Nothing is left when it returns; when ctx ends, that is soon.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Rounds == 0 {
		cfg.Rounds = 5
	}
	if cfg.For == 0 {
		cfg.For = time.Second
	}
	if cfg.HalfOpen == 0 {
		cfg.HalfOpen = 1_000_000
	}
	if cfg.Entries == 0 {
		cfg.Entries = 10_000
	}
	if cfg.Patience == 0 {
		cfg.Patience = 20 * time.Second
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string) {}
	}
	if len(cfg.Worker) == 0 {
		return nil, errors.New("bench: no program given for the workers")
	}
	r := &runner{Config: cfg, ctx: ctx, program: cfg.Worker, report: &Report{Kernel: release(), CPUs: runtime.NumCPU()}}
	for _, part := range []func() error{r.throughput, r.memory, r.floods} {
		if err := part(); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return r.report, nil
}

func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// row adds an empty row to the report.
func (r *runner) row(name, unit string, smaller bool) *Row {
	row := &Row{Name: name, Unit: unit, Smaller: smaller, Values: map[Stack]float64{}, Rounds: map[Stack][]float64{}}
	r.report.Rows = append(r.report.Rows, row)
	return row
}

// throughput plays the loads of clients that get what they want.
func (r *runner) throughput() (err error) {
	loads := []struct {
		order Order
		rows  []*Row
		read  []func(*Result) float64
	}{
		{Order{Load: loadConnections, Count: atOnce}, []*Row{r.row("connections", "1/s", false)}, []func(*Result) float64{(*Result).rate}},
		{Order{Load: loadKeepAlive, Count: atOnce}, []*Row{r.row("keep-alive requests", "1/s", false)}, []func(*Result) float64{(*Result).rate}},
		{Order{Load: loadDownload}, []*Row{r.row("download", "Gbit/s", false)}, []func(*Result) float64{gigabits}},
		{Order{Load: loadUpload}, []*Row{r.row("upload", "Gbit/s", false)}, []func(*Result) float64{gigabits}},
		{Order{Load: loadLatency}, []*Row{r.row("connect, median", "us", true), r.row("connect, 99 %", "us", true)}, []func(*Result) float64{
			func(r *Result) float64 { return micros(r.P50) }, func(r *Result) float64 { return micros(r.P99) },
		}},
	}
	var sites []*place
	defer func() { err = errors.Join(err, closeAll(sites)) }()
	for _, s := range []Stack{Tcplab, GVisor, Kernel} {
		p, err := r.open(Order{Serve: s, Backlog: 4096, Cookies: 1})
		if err != nil {
			return err
		}
		sites = append(sites, p)
	}
	for round := range r.Rounds {
		for _, load := range loads {
			for _, p := range sites {
				r.Progress(fmt.Sprintf("round %d of %d: %s, %s", round+1, r.Rounds, load.order.Load, p.stack))
				o := load.order
				o.For = r.For
				result, err := r.load(p, o)
				if err != nil {
					return fmt.Errorf("%s under %s: %w", p.stack, o.Load, err)
				}
				for i, row := range load.rows {
					row.add(p.stack, load.read[i](&result))
				}
			}
		}
	}
	return nil
}

func gigabits(r *Result) float64     { return r.rate() * 8 / 1e9 }
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// load plays a load against a site and waits for its result.
func (r *runner) load(p *place, o Order) (result Result, err error) {
	w, err := r.start(p.client, o)
	if err != nil {
		return result, err
	}
	if err := w.read(&result); err != nil {
		return result, err
	}
	return result, w.close()
}

// place is a site that is up, with the namespaces that it takes.
type place struct {
	stack          Stack
	server, client *netns.Namespace // the same but for the kernel
	worker         *worker
	first          Usage
}

// open brings a site up.
func (r *runner) open(o Order) (p *place, err error) {
	p = &place{stack: o.Serve}
	if p.server, err = netns.New(""); err != nil {
		return nil, err
	}
	p.client = p.server
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if o.Serve == Kernel {
		if p.client, err = pair(p.server); err != nil {
			return p, err
		}
		for name, value := range map[string]int{
			"net/core/somaxconn": o.Backlog, "net/ipv4/tcp_max_syn_backlog": math.MaxInt32, "net/ipv4/tcp_syncookies": o.Cookies,
		} {
			if err = p.server.Sysctl(name, fmt.Sprint(value)); err != nil {
				return p, err
			}
		}
	}
	if p.worker, err = r.start(p.server, o); err != nil {
		return p, err
	}
	if err = p.worker.read(&p.first); err != nil {
		p.worker = nil // it has ended
	}
	return p, err
}

func (p *place) close() error {
	var errs []error
	if p.worker != nil {
		errs = append(errs, p.worker.close())
	}
	if p.client != nil && p.client != p.server {
		errs = append(errs, p.client.Close())
	}
	return errors.Join(append(errs, p.server.Close())...)
}

func closeAll(places []*place) error {
	var errs []error
	for _, p := range places {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}
