// Package table measures how many connections a listening socket queues, for
// each profile and backlog and for the host's own kernel: figure 4.10 of
// Stevens' UNIX Network Programming, again.
package table

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"tcplab/listener/backlog"
)

// Host is the name of the column of the host's own kernel.
const Host = "host"

// hostProfile is the profile that the host's kernel is compared with.
const hostProfile = "linux"

// Config is what to measure.
type Config struct {
	Profiles   []*backlog.Profile
	MaxBacklog int // measured are 0 to this
	// Progress is called after each cell with how many are done of how many. It
	// is not called concurrently. Nil: nobody is told.
	Progress func(done, all int)
}

// MaxMaxBacklog is the largest backlog that can be asked for.
const MaxMaxBacklog = 512

// atOnce is how many cells are measured at the same time. They wait for a
// client's second SYN most of their time.
const atOnce = 24

// Table is what was measured.
type Table struct {
	Kernel  string   `json:"kernel"` // the host's
	Columns []Column `json:"columns"`
}

// Column is a profile, or the host's kernel.
type Column struct {
	Name      string `json:"name"`
	Published string `json:"published,omitempty"` // which systems figure 4.10 names
	Cells     []Cell `json:"cells"`               // by backlog, from 0
}

// Cell is one measurement.
type Cell struct {
	Backlog   int  `json:"backlog"`
	Measured  int  `json:"measured"`
	Published *int `json:"published,omitempty"`
	// Expected is what the host's kernel should have as the profile linux does.
	Expected *int `json:"expected,omitempty"`
}

// Differs reports whether the cell is not what it should be.
func (c *Cell) Differs() bool {
	return c.Published != nil && *c.Published != c.Measured || c.Expected != nil && *c.Expected != c.Measured
}

// Measure fills a table. It needs root.
func Measure(ctx context.Context, cfg Config) (*Table, error) {
	if cfg.MaxBacklog < 0 || cfg.MaxBacklog > MaxMaxBacklog {
		return nil, fmt.Errorf("largest backlog %d: give 0 to %d", cfg.MaxBacklog, MaxMaxBacklog)
	}
	t := &Table{Kernel: kernel()}
	for _, p := range cfg.Profiles {
		t.Columns = append(t.Columns, Column{Name: p.Name, Published: published[p.Name].systems})
	}
	t.Columns = append(t.Columns, Column{Name: Host})

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex // guards done
		done    int
		workers sync.WaitGroup
		slots   = make(chan struct{}, atOnce)
		all     = len(t.Columns) * (cfg.MaxBacklog + 1)
	)
	for i := range t.Columns {
		column := &t.Columns[i]
		column.Cells = make([]Cell, cfg.MaxBacklog+1)
		for b := range column.Cells {
			slots <- struct{}{}
			workers.Go(func() {
				defer func() { <-slots }()
				if ctx.Err() != nil {
					return
				}
				var n int
				var err error
				if column.Name == Host {
					n, err = measureHost(ctx, b)
				} else {
					n, err = measureProfile(ctx, cfg.Profiles[i], b)
				}
				if err != nil {
					cancel(fmt.Errorf("measuring %s with backlog %d: %w", column.Name, b, err))
					return
				}
				column.Cells[b] = Cell{Backlog: b, Measured: n}
				if want, ok := Published(column.Name, b); ok {
					column.Cells[b].Published = &want
				}
				mu.Lock()
				defer mu.Unlock()
				done++
				if cfg.Progress != nil {
					cfg.Progress(done, all)
				}
			})
		}
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	t.expectHost()
	return t, nil
}

// expectHost compares the host's column with that of the profile linux, if both
// were measured.
func (t *Table) expectHost() {
	host := t.column(Host)
	linux := t.column(hostProfile)
	if linux == nil {
		return
	}
	for b := range host.Cells {
		host.Cells[b].Expected = &linux.Cells[b].Measured
	}
}

func (t *Table) column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Differences is the number of cells that are not what they should be.
func (t *Table) Differences() int {
	n := 0
	for i := range t.Columns {
		for b := range t.Columns[i].Cells {
			if t.Columns[i].Cells[b].Differs() {
				n++
			}
		}
	}
	return n
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}
