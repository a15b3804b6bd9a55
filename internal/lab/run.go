package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Options are how to run a lab.
type Options struct {
	Out io.Writer // takes the account, as it happens
	// Speed divides the listener's timers; zero means 1.
	Speed int
	// Keep leaves what the lab made until the context ends, and says how to look
	// around.
	Keep bool
	// Report is a folder for the report, the capture and the events; "" for none.
	Report string
}

// MaxSpeed is the largest Options.Speed.
const MaxSpeed = 100

// MissingError says that a lab cannot run because programs are missing.
type MissingError struct {
	Lab      string
	Programs []Program
}

func (e *MissingError) Error() string {
	text, packages := "", ""
	for i, p := range e.Programs {
		if i > 0 {
			text += ", "
		}
		text += p.Name
		packages += " " + p.Package
	}
	return fmt.Sprintf("lab %s needs %s: install with 'apt-get install%s'", e.Lab, text, packages)
}

// Missing reports which programs are not there, as a *MissingError.
func (l *Lab) Missing() error {
	var missing []Program
	for _, p := range l.Needs {
		if _, err := exec.LookPath(p.Name); err != nil {
			missing = append(missing, p)
		}
	}
	if len(missing) > 0 {
		return &MissingError{l.Name, missing}
	}
	return nil
}

// Run runs a lab. The error is a *ClaimError if a claim does not hold, a
// *MissingError if a program is missing, the context's if it ended. Whatever the
// lab made is gone when Run returns.
func Run(ctx context.Context, l *Lab, o Options) error {
	if o.Speed < 0 || o.Speed > MaxSpeed {
		return fmt.Errorf("speed %d: give 1 to %d", o.Speed, MaxSpeed)
	}
	if err := l.Missing(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &Scene{lab: l, options: o, ctx: ctx, out: o.Out, started: time.Now()}
	if _, err := fmt.Fprintf(o.Out, "%s: %s\n", l.Name, l.Title); err != nil {
		return err
	}
	err := s.play()
	if err == nil && o.Keep {
		err = s.keep()
	}
	cancel()
	err = errors.Join(err, s.cleanUp())
	for _, server := range s.servers {
		server.keepRecord()
	}
	if err != nil {
		return fmt.Errorf("lab %s: %w", l.Name, err)
	}
	failed, claims := s.record.Failed()
	if o.Report != "" {
		if err := writeReport(o.Report, l, s); err != nil {
			return fmt.Errorf("lab %s: writing the report: %w", l.Name, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("lab %s: %w", l.Name, &ClaimError{failed, claims})
	}
	_, err = fmt.Fprintf(o.Out, "\n%s: %d claims, all hold\n", l.Name, claims)
	return err
}

// play runs the lab's function.
func (s *Scene) play() (err error) {
	defer func() {
		switch left := recover().(type) {
		case nil:
		case aborted:
			err = left.err
		default:
			panic(left)
		}
	}()
	s.lab.run(s)
	return nil
}

// keep waits until the context ends.
func (s *Scene) keep() error {
	text := "\nkept until Ctrl-C; to look around, in another terminal:\n"
	for _, server := range s.servers {
		text += fmt.Sprintf("  sudo ip netns exec %s tcplab status --dev %s\n", server.ns.Name(), server.dev)
	}
	if _, err := io.WriteString(s.out, text); err != nil {
		return err
	}
	<-s.ctx.Done()
	return nil
}
