package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"tcplab/internal/again"
	"tcplab/internal/netns"
)

// Order is what a worker is told to do, as JSON on its command line.
type Order struct {
	Serve    Stack         `json:"serve,omitempty"`    // a site, or
	Load     string        `json:"load,omitempty"`     // a load
	For      time.Duration `json:"for,omitempty"`      // how long the load lasts
	Patience time.Duration `json:"patience,omitempty"` // how long a connect or an answer may take
	Count    int           `json:"count,omitempty"`    // of clients, or of connections
	Backlog  int           `json:"backlog,omitempty"`
	Cookies  int           `json:"cookies,omitempty"` // net.ipv4.tcp_syncookies
	Hold     bool          `json:"hold,omitempty"`    // the site never accepts
}

// Usage is what a site says about itself when it is asked.
type Usage struct {
	Memory   uint64        `json:"memory"` // bytes in its resident set, garbage collected first
	CPU      time.Duration `json:"cpu"`    // used so far, user and system
	SYNs     uint64        `json:"syns"`   // that it dropped, or answered with a cookie; packets if it is bare
	HalfOpen int           `json:"half_open"`
	Queued   int           `json:"queued"` // completed and not accepted
}

// Result is what a load has found.
type Result struct {
	Count   int           `json:"count"` // connections, requests or bytes
	Elapsed time.Duration `json:"elapsed"`
	P50     time.Duration `json:"p50,omitempty"`
	P99     time.Duration `json:"p99,omitempty"`
}

// rate is the count by second.
func (r *Result) rate() float64 { return float64(r.Count) / r.Elapsed.Seconds() }

// workerPart is what a worker plays.
const workerPart = "bench-worker"

// Work does what order says, as a worker process: it answers on out, once a load
// is done, or for each line that comes in. It ends when in does. A process that
// Run has not started, inside a namespace, is refused: its load would go wherever
// it is.
func Work(order string, in io.Reader, out io.Writer) error {
	switch origin, err := again.As(workerPart); {
	case err != nil:
		return err
	case origin == nil:
		return errors.New("this is what tcplab bench starts, in network namespaces that it makes: run tcplab bench")
	default:
		_ = origin.Socket.Close()
	}
	return work(order, in, out)
}

func work(order string, in io.Reader, out io.Writer) error {
	var o Order
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		return fmt.Errorf("reading the worker's order: %w", err)
	}
	encoder := json.NewEncoder(out)
	if o.Serve != "" {
		return workAsSite(&o, in, encoder)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in) // whoever started us has ended, or has the result
		os.Exit(0)
	}()
	return runLoad(&o, encoder)
}

func workAsSite(o *Order, in io.Reader, encoder *json.Encoder) (err error) {
	s, err := openSite(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	usage := s.usage()
	for lines := bufio.NewScanner(in); ; usage = s.usage() {
		if err := encoder.Encode(usage); err != nil {
			return err
		}
		if !lines.Scan() {
			return lines.Err()
		}
	}
}

// worker is a worker process, seen from the one that started it. Not safe for
// concurrent use.
type worker struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	from  *json.Decoder
	fault *limited
}

// limited keeps the beginning of what is written to it.
type limited struct{ text []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p[:min(len(p), 4096-min(len(l.text), 4096))]...)
	return len(p), nil
}

// start starts a worker inside a namespace.
func (r *runner) start(ns *netns.Namespace, o Order) (*worker, error) {
	o.Patience = r.Patience
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	w := &worker{cmd: exec.CommandContext(r.ctx, r.program[0], append(r.program[1:], string(order))...), fault: new(limited)}
	w.cmd.Stderr = w.fault
	w.cmd.WaitDelay = 5 * time.Second
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.from = json.NewDecoder(stdout)
	socket, err := again.Start(w.cmd, func() error { return ns.Start(w.cmd) }, workerPart, "")
	if err != nil {
		return nil, fmt.Errorf("starting a worker: %w", err)
	}
	return w, socket.Close()
}

// read reads the worker's next answer.
func (w *worker) read(into any) error {
	if err := w.from.Decode(into); err != nil {
		return errors.Join(fmt.Errorf("a worker of the benchmark ended early: %w", err), w.close())
	}
	return nil
}

// usage asks a site about itself.
func (w *worker) usage() (u Usage, err error) {
	if _, err := io.WriteString(w.stdin, "\n"); err != nil {
		return u, errors.Join(err, w.close())
	}
	return u, w.read(&u)
}

// close ends the worker and waits until it has.
func (w *worker) close() error {
	_ = w.stdin.Close() // it may have ended
	if err := w.cmd.Wait(); err != nil {
		// Not %w: its exit code is not that of this program.
		return fmt.Errorf("worker: %s: %s", err.Error(), bytes.TrimSpace(w.fault.text))
	}
	return nil
}
