package instance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/memlimit"
	"tcplab/internal/sandbox"
	"tcplab/internal/version"
)

// Config is what an instance runs with.
type Config struct {
	endpoint.Config

	// Metrics is where metrics are served for Prometheus, by the rules of package
	// webguard. The zero value: nowhere.
	Metrics netip.AddrPort
	UI      netip.AddrPort // where the page is served, likewise

	Out  io.Writer // takes the banner, the events and the totals
	JSON bool      // as JSON objects, one a line, instead of text
	// Quiet leaves out what is about one connection: the events.
	Quiet bool

	// Sandbox has the process give up its privileges, for good, when the endpoint is
	// up; see package sandbox.
	Sandbox bool

	Files Files
	Notes io.Writer // takes what becomes of the files, and the log; nil: nobody does

	// Ready is called when the instance serves and has said so. From then on it
	// runs in the background and writes nothing. Nil: it stays in front.
	Ready func() error
}

// Run runs an instance in the network namespace of the calling thread until ctx
// ends or it is taken down, which is no error. Everything that it made is gone
// when it returns.
func Run(ctx context.Context, cfg Config) error {
	if err := errors.Join(cfg.Check(), cfg.Files.Check(), enoughDescriptors()); err != nil {
		return err
	}
	if err := memlimit.Enter(); err != nil && cfg.Notes != nil {
		fmt.Fprintf(cfg.Notes, "tcplab: %v\n", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = newLogger(cfg.Notes, cfg.JSON)
	}
	server, err := control.Claim(ctx, cfg.Dev, cfg.Notes)
	if err != nil {
		return err
	}
	r := &run{config: &cfg, server: server, out: newOutput(&cfg), changes: newChanges(), files: files{notes: cfg.Notes}}
	if err := r.up(); err != nil {
		return errors.Join(err, r.page.close(), r.metrics.Close(), server.Close(control.Stopped{}))
	}
	return r.untilEnd(ctx)
}

// up opens what the instance listens at, and brings the endpoint up.
func (r *run) up() (err error) {
	if r.metrics, err = openMetrics(r.config); err != nil {
		return err
	}
	if r.page, err = openPage(r.config.UI); err != nil {
		return err
	}
	r.endpoint, err = endpoint.Up(r.config.Config)
	return err
}

// run is an instance that is up.
type run struct {
	config   *Config
	server   *control.Server
	endpoint *endpoint.Endpoint
	metrics  *metricsServer // nil: nowhere
	page     *page          // likewise
	out      *output
	changes  *changes
	files    files
	sandbox  endpoint.SandboxStatus // set by confine
}

// drainTime is how long a reader of the output gets for what is left at the end.
const drainTime = 2 * time.Second

// untilEnd serves until the end, and cleans up.
func (r *run) untilEnd(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	go memlimit.Collect(ctx)
	shown, err := r.begin(cancel)
	if err == nil {
		go func() {
			select {
			case <-r.server.Asked():
				cancel(nil)
			case <-ctx.Done():
			}
		}()
		err = r.endpoint.Wait(ctx)
		if cause := context.Cause(ctx); errors.As(cause, new(*outputError)) {
			err = errors.Join(err, cause)
		}
	}

	err = errors.Join(err, r.page.close(), r.metrics.Close(), r.endpoint.Close())
	totals := r.endpoint.Totals()
	final := control.Stopped{Totals: totals}
	if all := errors.Join(err, r.files.end()); all != nil {
		final.Error = all.Error()
	}
	err = errors.Join(err, r.server.Close(final))
	r.changes.end()

	select {
	case <-shown:
		return errors.Join(err, r.out.totals(totals))
	case <-time.After(drainTime): // nobody reads
		return err
	}
}

// begin says that the instance is up and begins to show events. shown is closed
// when the last one is written; if that fails, end is called.
func (r *run) begin(end context.CancelCauseFunc) (shown <-chan struct{}, err error) {
	done := make(chan struct{})
	subscription := r.endpoint.Subscribe(shownRing, 0)
	if err := r.files.begin(&r.config.Files, r.endpoint); err != nil {
		r.out.silent.Store(true)
		subscription.Close()
		close(done)
		return done, err
	}
	if err := r.confine(); err != nil {
		r.out.silent.Store(true)
		subscription.Close()
		close(done)
		return done, err
	}
	r.files.start()
	instance := controlled{r.endpoint, &r.files, r.changes, &r.sandbox}
	r.server.Serve(instance)
	r.metrics.serve(r.endpoint, version.String())
	r.page.serve(instance)
	err = r.out.banner(instance.Status(0), r.metrics.where(), r.page.url())
	if err == nil && r.config.Ready != nil {
		err = r.config.Ready()
		r.out.silent.Store(true)
	}
	if err != nil || r.out.silent.Load() {
		subscription.Close()
		close(done)
		return done, err
	}
	var telling sync.WaitGroup
	tell := func(what func() error) {
		telling.Go(func() {
			if err := what(); err != nil {
				r.out.silent.Store(true)
				end(err)
			}
		})
	}
	tell(func() error { return r.changes.tell(r.out) })
	if r.config.Quiet {
		subscription.Close()
	} else {
		tell(func() error { return r.out.follow(subscription) })
	}
	go func() {
		telling.Wait()
		close(done)
	}()
	return done, nil
}

// controlled is the endpoint for commands, which hear of the files, too, and whose
// changes are told.
type controlled struct {
	*endpoint.Endpoint
	files   *files
	changes *changes
	sandbox *endpoint.SandboxStatus // written before anybody asks
}

// Set is the endpoint's, and tells on the output what has changed.
func (c controlled) Set(changes map[string]string) error {
	if err := c.Endpoint.Set(changes); err != nil {
		return err
	}
	settings := c.Settings()
	values := make(map[string]string)
	for name := range changes {
		values[name] = settings.Get(name)
	}
	status := c.Endpoint.Status(0)
	c.changes.add(values, status.Listeners[0].RuleText())
	return nil
}

// Status is the endpoint's, with what went wrong with the files, and what the
// sandbox does not hold.
func (c controlled) Status(limit int) endpoint.Status {
	status := c.Endpoint.Status(limit)
	status.Files, status.Ended = c.files.status(), c.files.faults()
	status.Sandbox = c.sandbox
	return status
}

// confine gives up privileges, if it is to. The files are open and the sockets
// listen by then.
func (r *run) confine() error {
	r.sandbox = endpoint.SandboxStatus{On: r.config.Sandbox, Missing: []string{}}
	if !r.config.Sandbox {
		return r.files.settle()
	}
	notes, err := sandbox.Enter(append(r.files.dirs(), r.server.Dir())...)
	if err != nil {
		return err
	}
	r.sandbox.Missing = append(r.sandbox.Missing, notes...)
	if r.config.Notes != nil {
		for _, note := range notes {
			fmt.Fprintf(r.config.Notes, "tcplab: sandbox: %s\n", note)
		}
	}
	if err := r.files.settle(); err != nil {
		return fmt.Errorf("%w, or --sandbox=false", err)
	}
	return nil
}

// shownRing is how many events wait to be shown.
const shownRing = 4096

// outputError is a failure to write to the output.
type outputError struct{ err error }

func (e *outputError) Error() string {
	return fmt.Sprintf("the output cannot be written any more: %v", e.err)
}

func (e *outputError) Unwrap() error { return e.err }
