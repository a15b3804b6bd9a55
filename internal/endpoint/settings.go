package endpoint

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tcplab/internal/app"
	"tcplab/listener"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
	"tcplab/stack"
)

// Settings are what can be changed while an endpoint runs. Each has a name and
// a form as text, the same in a flag and in "tcplab set".
type Settings struct {
	Profile *backlog.Profile
	Backlog backlog.Settings
	// SYNTimeout is when a half-open entry is given up; zero means the
	// profile's time.
	SYNTimeout time.Duration
	// SYNACKRetries is how often an unanswered SYN-ACK is sent again; nil means
	// the profile's schedule.
	SYNACKRetries *int
	// DeferAccept is for how long a bare final ACK completes nothing
	// (TCP_DEFER_ACCEPT), for the profiles that know it; zero is off.
	DeferAccept time.Duration
	// Accept is how fast the application calls accept.
	Accept app.Accept
	// Timeouts are when a connection ends whose client does nothing any more.
	Timeouts stack.ClientTimeouts
}

// asProfile stands for "what the profile says" where a setting overrides it.
const asProfile = "profile"

// setting is one setting as text.
type setting struct {
	name  string
	parse func(*Settings, string) error
	show  func(*Settings) string
}

var settings = []setting{
	{"abort-on-overflow", parseAbortOnOverflow, func(s *Settings) string { return strconv.FormatBool(s.Backlog.AbortOnOverflow) }},
	{"accept", parseAccept, func(s *Settings) string { return s.Accept.String() }},
	{"backlog", parseBacklog, func(s *Settings) string { return strconv.Itoa(s.Backlog.Backlog) }},
	{"defer-accept", parseDeferAccept, func(s *Settings) string { return s.DeferAccept.String() }},
	{"keepalive-intvl", parseKeepaliveInterval, func(s *Settings) string { return s.Timeouts.KeepaliveInterval.String() }},
	{"keepalive-probes", parseKeepaliveProbes, func(s *Settings) string { return strconv.Itoa(s.Timeouts.KeepaliveProbes) }},
	{"keepalive-time", parseKeepaliveTime, func(s *Settings) string { return s.Timeouts.KeepaliveTime.String() }},
	{"max-syn-backlog", parseMaxSynBacklog, func(s *Settings) string { return strconv.Itoa(s.Backlog.MaxSynBacklog) }},
	{"profile", parseProfile, func(s *Settings) string {
		if s.Profile == nil {
			return ""
		}
		return s.Profile.Name
	}},
	{"somaxconn", parseSomaxconn, func(s *Settings) string { return strconv.Itoa(s.Backlog.Somaxconn) }},
	{"syn-timeout", parseSYNTimeout, func(s *Settings) string {
		if s.SYNTimeout == 0 {
			return asProfile
		}
		return s.SYNTimeout.String()
	}},
	{"syncookies", parseSyncookies, func(s *Settings) string { return strconv.Itoa(s.Backlog.Syncookies) }},
	{"synack-retries", parseSYNACKRetries, func(s *Settings) string {
		if s.SYNACKRetries == nil {
			return asProfile
		}
		return strconv.Itoa(*s.SYNACKRetries)
	}},
	{"user-timeout", parseUserTimeout, func(s *Settings) string { return s.Timeouts.User.String() }},
}

// SettingNames are the names of all settings, in alphabetical order.
func SettingNames() []string {
	names := make([]string, len(settings))
	for i := range settings {
		names[i] = settings[i].name
	}
	return names
}

// Set changes the setting of this name. The error says what is wrong with the
// value, and what to give.
func (s *Settings) Set(name, value string) error {
	for i := range settings {
		if settings[i].name == name {
			return settings[i].parse(s, value)
		}
	}
	return fmt.Errorf("unknown setting %q: there are %s", name, strings.Join(SettingNames(), ", "))
}

// Get is the setting of this name as text, empty where there is none.
func (s *Settings) Get(name string) string {
	for i := range settings {
		if settings[i].name == name {
			return settings[i].show(s)
		}
	}
	return ""
}

// With returns the settings with changes, given by name, applied: all of them,
// or none if one is wrong.
func (s Settings) With(changes map[string]string) (Settings, error) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := s.Set(name, changes[name]); err != nil {
			return Settings{}, fmt.Errorf("%s=%s: %w", name, changes[name], err)
		}
	}
	return s, nil
}

// ListenerConfig is what the listener of a port is configured with.
func (s *Settings) ListenerConfig(observer func(listener.Event)) listener.Config {
	settings := s.Backlog
	settings.DeferAccept = profiles.DeferTimeouts(s.DeferAccept)
	return listener.Config{
		Profile:       s.Profile,
		Settings:      settings,
		SYNTimeout:    s.SYNTimeout,
		SYNACKRetries: s.SYNACKRetries,
		Observer:      observer,
	}
}

func parseAccept(s *Settings, value string) error {
	accept, err := app.ParseAccept(value)
	if err != nil {
		return err
	}
	s.Accept = accept
	return nil
}

func parseBacklog(s *Settings, value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		return fmt.Errorf("give a number like 8, or -1 for somaxconn (listen(2) takes a 32-bit int)")
	}
	s.Backlog.Backlog = int(n)
	return nil
}

func parseProfile(s *Settings, value string) error {
	profile, err := profiles.Lookup(value)
	if err != nil {
		return err
	}
	s.Profile = profile
	return nil
}

func parseSomaxconn(s *Settings, value string) error {
	return parsePositive(&s.Backlog.Somaxconn, value, "net.core.somaxconn")
}

// parsePositive reads a number of things of which there must be one.
func parsePositive(target *int, value, sysctl string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return fmt.Errorf("give a number from 1 to %d (%s)", math.MaxInt32, sysctl)
	}
	*target = n
	return nil
}

func parseMaxSynBacklog(s *Settings, value string) error {
	return parsePositive(&s.Backlog.MaxSynBacklog, value, "net.ipv4.tcp_max_syn_backlog")
}

func parseSyncookies(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > 2 {
		return fmt.Errorf("give 0 for never, 1 for a full incomplete queue, 2 for always (net.ipv4.tcp_syncookies)")
	}
	s.Backlog.Syncookies = n
	return nil
}

func parseAbortOnOverflow(s *Settings, value string) error {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return fmt.Errorf("give true or false (net.ipv4.tcp_abort_on_overflow)")
	}
	s.Backlog.AbortOnOverflow = on
	return nil
}

// maxDeferAccept is the longest TCP_DEFER_ACCEPT: 255 timeouts are counted at
// most, and nobody waits for them.
const maxDeferAccept = time.Hour

func parseDeferAccept(s *Settings, value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > maxDeferAccept {
		return fmt.Errorf("give a time from 0 to %v, like 3s (TCP_DEFER_ACCEPT)", maxDeferAccept)
	}
	s.DeferAccept = d
	return nil
}

func parseSYNTimeout(s *Settings, value string) error {
	d, err := time.ParseDuration(value)
	switch {
	case value == asProfile:
		d = 0
	case err != nil || d <= 0:
		return fmt.Errorf("give a time like 75s or 500ms, or %q for what the profile says", asProfile)
	}
	s.SYNTimeout = d
	return nil
}

func parseSYNACKRetries(s *Settings, value string) error {
	if value == asProfile {
		s.SYNACKRetries = nil
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 || n > backlog.MaxRetries {
		return fmt.Errorf("give a number from 0 to %d, or %q for what the profile says", backlog.MaxRetries, asProfile)
	}
	s.SYNACKRetries = &n
	return nil
}
