package watch

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"tcplab/internal/endpoint"
	"tcplab/internal/events"
)

// Source is a running instance: a *control.Client.
type Source interface {
	Status(ctx context.Context, limit int) (endpoint.Status, error)
	Newest(ctx context.Context, keep int, every time.Duration, each func(*events.Record) error) error
	Set(ctx context.Context, changes map[string]string) (endpoint.Status, error)
	Accept(ctx context.Context, n int) (endpoint.Taken, error)
}

// Config is what a view is made with.
type Config struct {
	Dev      string
	Source   Source
	Interval time.Duration // between two looks at the instance; must be positive
}

const (
	drawRate = 12                     // a second, at most
	awayTime = 500 * time.Millisecond // between two looks for an instance that is gone, at least
)

// Run shows the view on a terminal until somebody quits, or ctx ends, which is
// no error. An instance that is not there at the beginning is one.
func Run(ctx context.Context, cfg Config, in, out *os.File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	first, err := cfg.Source.Status(ctx, listEntries)
	if err != nil {
		return err
	}
	s := &shell{Config: cfg, ctx: ctx, model: NewModel(cfg.Dev, 0, 0)}
	s.model.Status(first, time.Now())
	program := tea.NewProgram(s, tea.WithInput(in), tea.WithOutput(&terminal{out, cancel}), tea.WithFPS(drawRate),
		tea.WithoutSignalHandler()) // ctx ends with a signal
	stop := context.AfterFunc(ctx, program.Quit)
	_, err = program.Run()
	stop()
	cancel()
	s.end()
	return err
}

// terminal is a file that says when it is gone.
type terminal struct {
	*os.File
	gone func()
}

// Write implements io.Writer.
func (t *terminal) Write(p []byte) (int, error) {
	n, err := t.File.Write(p)
	if err != nil {
		t.gone()
	}
	return n, err
}

// shell is a Model as bubbletea wants it. Update and View are called by one
// goroutine, commands by others.
type shell struct {
	Config
	ctx       context.Context // ends with the view: bubbletea's commands take none
	model     *Model
	listening bool

	mu     sync.Mutex // guards the following
	ended  bool
	fresh  []events.Record // came since the last look
	wg     sync.WaitGroup  // of commands; none begins when ended
	missed uint64          // of fresh, where there were more than can be kept
}

// Messages to Update.
type (
	lookNow struct{} // it is time for a look
	looked  struct { // what a look showed
		status endpoint.Status
		err    error
	}
	streamEnded struct{}
	performed   struct {
		action Action
		result Result
	}
)

// command is work on a goroutine that end waits for.
func (s *shell) command(work func() tea.Msg) tea.Cmd {
	return func() tea.Msg {
		s.mu.Lock()
		if s.ended {
			s.mu.Unlock()
			return nil
		}
		s.wg.Add(1)
		s.mu.Unlock()
		defer s.wg.Done()
		return work()
	}
}

// end waits for all commands; ctx must have ended.
func (s *shell) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wg.Wait()
}

// Init implements tea.Model.
func (s *shell) Init() tea.Cmd { return tea.Batch(s.look(), s.listen()) }

// Update implements tea.Model.
func (s *shell) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	now := time.Now()
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.model.Resize(msg.Width, msg.Height)
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+z" {
			return s, tea.Suspend
		}
		if s.model.Key(keyName(msg), now) {
			return s, tea.Quit
		}
	case tea.PasteMsg:
		s.model.Paste(msg.Content, now)
	case lookNow:
		return s, s.look()
	case looked:
		return s, s.show(msg, now)
	case streamEnded:
		s.listening = false
	case performed:
		s.model.Performed(msg.action, msg.result, now)
	}
	return s, s.perform()
}

// keyName is the key as Model.Key takes it: what was typed, where the terminal
// tells keys and what they type apart.
func keyName(msg tea.KeyPressMsg) string {
	if len(msg.Text) == 1 && msg.Text != " " {
		return msg.Text
	}
	return msg.String()
}

// View implements tea.Model.
func (s *shell) View() tea.View {
	v := tea.NewView(s.model.View(time.Now()))
	v.AltScreen = true
	return v
}

// look asks for the state of the instance.
func (s *shell) look() tea.Cmd {
	return s.command(func() tea.Msg {
		status, err := s.Source.Status(s.ctx, listEntries)
		return looked{status, err}
	})
}

// show takes what a look and the stream brought, and looks again after a while.
func (s *shell) show(l looked, now time.Time) tea.Cmd {
	wait := s.Interval
	var listen tea.Cmd
	if l.err != nil {
		s.model.Gone(l.err, now)
		wait = max(wait, awayTime)
	} else {
		s.model.Status(l.status, now)
		listen = s.listen()
	}
	s.mu.Lock()
	fresh, missed := s.fresh, s.missed
	s.fresh, s.missed = nil, 0
	s.mu.Unlock()
	for i := range fresh {
		s.model.Event(&fresh[i])
	}
	s.model.Missed(missed)
	return tea.Batch(listen, s.command(func() tea.Msg {
		select {
		case <-time.After(wait):
			return lookNow{}
		case <-s.ctx.Done():
			return nil
		}
	}))
}

// listen follows the events, if nobody does so.
func (s *shell) listen() tea.Cmd {
	if s.listening {
		return nil
	}
	s.listening = true
	return s.command(func() tea.Msg {
		_ = s.Source.Newest(s.ctx, keptEvents, s.Interval, s.keep) // the next look says why it ended
		return streamEnded{}
	})
}

// keep keeps an event until the next look.
func (s *shell) keep(r *events.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fresh) == keptEvents {
		s.missed += 1 + s.fresh[0].Lost
		s.fresh = s.fresh[1:]
	}
	s.fresh = append(s.fresh, *r)
	return nil
}

// actionTime is how long an instance may take to do what a key asks for.
const actionTime = 5 * time.Second

// perform does the next thing that keys have asked for, if nothing is under way.
func (s *shell) perform() tea.Cmd {
	a, ok := s.model.Next()
	if !ok {
		return nil
	}
	return s.command(func() tea.Msg { return performed{a, do(s.ctx, s.Source, a)} })
}

// do has the instance do what an action says.
func do(ctx context.Context, source Source, a Action) Result {
	ctx, cancel := context.WithTimeout(ctx, actionTime)
	defer cancel()
	if a.Accept > 0 {
		taken, err := source.Accept(ctx, a.Accept)
		return Result{Taken: &taken, Err: err}
	}
	status, err := source.Set(ctx, map[string]string{a.Name: a.Value})
	return Result{Status: &status, Err: err}
}

// Once waits for an interval, for the rates and the events in it, and returns a
// frame of a size.
func Once(ctx context.Context, cfg Config, width, height int) (string, error) {
	m := NewModel(cfg.Dev, width, height)
	m.still = true
	ctx, cancel := context.WithTimeout(ctx, cfg.Interval+onceTime)
	defer cancel()
	first, err := cfg.Source.Status(ctx, listEntries)
	if err != nil {
		return "", err
	}
	m.Status(first, time.Now())

	window, done := context.WithTimeout(ctx, cfg.Interval)
	defer done()
	err = cfg.Source.Newest(window, keptEvents, 0, func(r *events.Record) error { m.Event(r); return nil })
	if window.Err() == nil { // it ended, and the status says why
		if err == nil {
			err = errors.New("the instance ended")
		}
		return "", err
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	last, err := cfg.Source.Status(ctx, listEntries)
	if err != nil {
		return "", err
	}
	m.Status(last, time.Now())
	return m.View(time.Now()), nil
}

// onceTime is how long an instance may take to answer Once.
const onceTime = 20 * time.Second
