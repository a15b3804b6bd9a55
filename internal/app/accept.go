package app

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Accept is how fast an application calls accept: Auto, Off or a rate. The
// zero value is Auto. Values can be compared.
type Accept struct {
	off   bool
	count float64       // of a rate: so many accepts …
	per   time.Duration // … in this time; zero: no rate
}

// The ways to call accept without a rate.
var (
	Auto = Accept{}          // whenever a connection is there
	Off  = Accept{off: true} // never, but for what Gate.Grant allows
)

// Bounds of a rate, as the time between two accepts. Timers are no finer than
// the one, and Off does as well as more than the other.
const (
	minInterval = time.Microsecond
	maxInterval = 24 * time.Hour
)

// units are the times that a rate names by a letter.
var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// ParseAccept reads auto, off, or a rate: a count, a slash, and the time for so
// many accepts, which is s, m, h or a duration (5/s, 0.5/s, 30/m, 1/2s).
func ParseAccept(text string) (Accept, error) {
	switch text {
	case "auto":
		return Auto, nil
	case "off":
		return Off, nil
	}
	count, per, ok := parseRate(text)
	if !ok {
		return Accept{}, fmt.Errorf("accept %q is no rate: give auto, off, or a rate such as 5/s, 0.5/s, 30/m or 1/2s", text)
	}
	interval := float64(per) / count
	switch {
	case interval > float64(maxInterval): // a count of zero, too
		return Accept{}, fmt.Errorf("accept %q is less than one in %v: give off to accept nothing", text, maxInterval)
	case interval < float64(minInterval):
		return Accept{}, fmt.Errorf("accept %q is more than one in %v: give auto to accept without waiting", text, minInterval)
	}
	return Accept{count: count, per: per}, nil
}

// parseRate reads COUNT/TIME.
func parseRate(text string) (count float64, per time.Duration, ok bool) {
	number, unit, _ := strings.Cut(text, "/")
	if strings.Trim(number, "0123456789.") != "" { // ParseFloat knows inf, 1e9 and 0x1p4
		return 0, 0, false
	}
	count, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, 0, false
	}
	if per, ok = units[unit]; ok {
		return count, per, true
	}
	per, err = time.ParseDuration(unit)
	return count, per, err == nil && per > 0
}

// String is what ParseAccept reads.
func (a Accept) String() string {
	switch {
	case a.off:
		return "off"
	case a.per == 0:
		return "auto"
	}
	unit := a.per.String()
	for letter, d := range units {
		if a.per == d {
			unit = letter
		}
	}
	return strconv.FormatFloat(a.count, 'f', -1, 64) + "/" + unit
}

// MarshalText implements encoding.TextMarshaler with String.
func (a Accept) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseAccept.
func (a *Accept) UnmarshalText(text []byte) error {
	parsed, err := ParseAccept(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// interval is the time between two accepts of a rate.
func (a Accept) interval() time.Duration {
	return time.Duration(float64(a.per) / a.count)
}
