package compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// atOnce is how many exchanges are played at the same time. They wait for
// retransmissions most of their time.
const atOnce = 16

// Result is an exchange played against both servers.
type Result struct {
	Exchange string   `json:"exchange"`
	About    string   `json:"about"`
	Kernel   []string `json:"kernel"`
	Ours     []string `json:"tcplab"`
	Equal    bool     `json:"equal"`
	Known    string   `json:"known,omitempty"` // why they differ, if that is known and wanted
}

// Unexplained reports whether the two sides differ and nobody knows why.
func (r *Result) Unexplained() bool { return !r.Equal && r.Known == "" }

// Config is what to compare.
type Config struct {
	Exchanges []*Exchange
	// Known are the known, wanted differences: the reason by the exchange's name.
	Known map[string]string
	// Progress is called after each exchange with how many are done of how many,
	// not concurrently. Nil: nobody is told.
	Progress func(done, all int)
}

// Compare plays all exchanges. It needs root.
func Compare(ctx context.Context, cfg Config) ([]Result, error) {
	results := make([]Result, len(cfg.Exchanges))
	errs := make([]error, len(cfg.Exchanges))
	var (
		mu      sync.Mutex // guards done
		done    int
		players sync.WaitGroup
		slots   = make(chan struct{}, atOnce)
	)
	for i, x := range cfg.Exchanges {
		slots <- struct{}{}
		players.Go(func() {
			defer func() { <-slots }()
			results[i], errs[i] = compareOne(ctx, x, cfg.Known[x.Name])
			mu.Lock()
			defer mu.Unlock()
			done++
			if cfg.Progress != nil {
				cfg.Progress(done, len(cfg.Exchanges))
			}
		})
	}
	players.Wait()
	if err := errors.Join(errs...); err != nil {
		return results, err
	}
	return results, again(ctx, cfg, results)
}

// attempts is how often an exchange is played that differs.
const attempts = 3

// again plays exchanges that differ once more, each by itself: a machine that
// stalls for a second makes a timer fire on one side only. A difference between
// the two listeners is there each time.
func again(ctx context.Context, cfg Config, results []Result) error {
	for i, x := range cfg.Exchanges {
		for n := 1; n < attempts && results[i].Unexplained(); n++ {
			var err error
			if results[i], err = compareOne(ctx, x, cfg.Known[x.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareOne plays an exchange against both servers at the same time.
func compareOne(ctx context.Context, x *Exchange, known string) (Result, error) {
	r := Result{Exchange: x.Name, About: x.About}
	var kernel, ours *Transcript
	var kernelErr, oursErr error
	var both sync.WaitGroup
	both.Go(func() { kernel, kernelErr = Run(ctx, x, Kernel) })
	both.Go(func() { ours, oursErr = Run(ctx, x, Ours) })
	both.Wait()
	if err := errors.Join(kernelErr, oursErr); err != nil {
		return r, err
	}
	r.Kernel, r.Ours = kernel.Text(), ours.Text()
	r.Equal = slices.Equal(r.Kernel, r.Ours)
	if !r.Equal {
		r.Known = known
	}
	return r, nil
}

// ReadDir reads the exchanges of a folder: all files that end in .txt, but
// KnownFile, in order of their names.
func ReadDir(fsys fs.FS) ([]*Exchange, map[string]string, error) {
	files, err := fs.Glob(fsys, "*.txt")
	if err != nil {
		return nil, nil, err
	}
	var list []*Exchange
	known := make(map[string]string)
	for _, file := range files {
		f, err := fsys.Open(file)
		if err != nil {
			return nil, nil, err
		}
		if file == KnownFile {
			known, err = readKnown(bufio.NewScanner(f))
		} else {
			var x *Exchange
			if x, err = ReadExchange(strings.TrimSuffix(path.Base(file), ".txt"), f); err == nil {
				list = append(list, x)
			}
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
	}
	if len(list) == 0 {
		return nil, nil, errors.New("no exchange found: they are files that end in .txt")
	}
	for name := range known {
		if !slices.ContainsFunc(list, func(x *Exchange) bool { return x.Name == name }) {
			return nil, nil, fmt.Errorf("%s names %q, which is no exchange", KnownFile, name)
		}
	}
	return list, known, nil
}

// KnownFile lists the known, wanted differences: a line each, the exchange's
// name, a colon and the reason.
const KnownFile = "KNOWN.txt"

func readKnown(lines *bufio.Scanner) (map[string]string, error) {
	known := make(map[string]string)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, reason, ok := strings.Cut(text, ":")
		if reason = strings.TrimSpace(reason); !ok || reason == "" {
			return nil, fmt.Errorf("%s:%d: want an exchange's name, a colon and the reason", KnownFile, n)
		}
		known[strings.TrimSpace(name)] = reason
	}
	return known, lines.Err()
}
