package listener

import (
	"fmt"
	"time"

	"tcplab/listener/backlog"
)

// Config is how a Listener behaves. It is copied.
type Config struct {
	Profile  *backlog.Profile // required
	Settings backlog.Settings

	// SYNTimeout overrides the profile's time after which a half-open entry is
	// given up. Zero keeps the profile's.
	SYNTimeout time.Duration
	// SYNACKRetries overrides how often the profile sends an unanswered SYN-ACK
	// again. Nil keeps the profile's.
	SYNACKRetries *int

	// Observer is told of each event, in order, with the listener's lock held:
	// it must neither block nor call the listener. Nil: nobody is.
	Observer func(Event)
}

// check refuses what no listening socket could be made of.
func (c *Config) check() error {
	switch {
	case c.Profile == nil:
		return fmt.Errorf("listener: no profile given: take one of package profiles")
	case c.Settings.Somaxconn < 1:
		return fmt.Errorf("listener: somaxconn is %d: give at least 1", c.Settings.Somaxconn)
	case c.SYNTimeout < 0:
		return fmt.Errorf("listener: SYN timeout is %v: give a positive time, or 0 for the profile's", c.SYNTimeout)
	case c.SYNACKRetries != nil && (*c.SYNACKRetries < 0 || *c.SYNACKRetries > backlog.MaxRetries):
		return fmt.Errorf("listener: %d SYN-ACK retries: give 0 to %d", *c.SYNACKRetries, backlog.MaxRetries)
	}
	return nil
}

// Effective is the profile with the timer overrides applied.
func (c *Config) Effective() *backlog.Profile {
	if c.SYNTimeout == 0 && c.SYNACKRetries == nil {
		return c.Profile
	}
	p := *c.Profile
	if c.SYNACKRetries != nil {
		p.Schedule = p.Schedule.WithRetries(*c.SYNACKRetries)
	}
	if c.SYNTimeout != 0 {
		p.Schedule.Expire = c.SYNTimeout
	}
	return &p
}
