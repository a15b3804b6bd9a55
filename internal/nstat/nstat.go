package nstat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"tcplab/internal/counters"
	"tcplab/internal/endpoint"
)

// Options are the flags of nstat.
type Options struct {
	Absolute bool     // -a: values since the start, not since the last call
	Zeros    bool     // -z: counters that are zero too
	NoUpdate bool     // -s: the next call does not see this one
	Reset    bool     // -r: forget what was seen before
	Quiet    bool     // -n: print nothing, update the history
	JSON     bool     // -j
	Pretty   bool     // -p: JSON over several lines
	Patterns []string // of names, as in a shell; none means all
}

// Check says what is wrong with the patterns.
func (o *Options) Check() error {
	for _, p := range o.Patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %q: %w: give one like TcpExt*", p, err)
		}
	}
	return nil
}

// Value is a counter as it is shown.
type Value struct {
	Name  string
	Value uint64
}

// Compare returns what is to be shown of now, when seen was seen last, and what
// is seen from then on: the values that were asked for, and the others as
// before. A gauge says nothing about a time, and is left out of what changed.
func (o *Options) Compare(now *endpoint.Counters, seen map[string]uint64) (show []Value, next map[string]uint64) {
	next = maps.Clone(seen)
	if next == nil || o.Reset {
		next = make(map[string]uint64)
	}
	for _, name := range ordered(now.Counters) {
		if !o.matches(name) || gauge(name) && !o.Absolute && !o.Zeros {
			continue
		}
		value := now.Counters[name]
		if last := next[name]; !o.Absolute && !gauge(name) && last <= value {
			value -= last
		}
		next[name] = now.Counters[name]
		if value != 0 || o.Zeros {
			show = append(show, Value{name, value})
		}
	}
	return show, next
}

// matches reports whether a counter is asked for. As in nstat, case does not
// matter.
func (o *Options) matches(name string) bool {
	for _, p := range o.Patterns {
		if ok, _ := path.Match(strings.ToLower(p), strings.ToLower(name)); ok {
			return true
		}
	}
	return len(o.Patterns) == 0
}

// ordered are the names in nstat's order; those of an instance of another
// version come last.
func ordered(values map[string]uint64) []string {
	names := make([]string, 0, len(values))
	for i := range counters.All {
		if _, ok := values[counters.All[i].Name]; ok {
			names = append(names, counters.All[i].Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func gauge(name string) bool {
	return slices.ContainsFunc(counters.All, func(c counters.Counter) bool { return c.Gauge && c.Name == name })
}

// Write writes values as nstat does. The source is where they come from: the
// kernel's are headed #kernel there.
func (o *Options) Write(w io.Writer, source string, values []Value) error {
	if o.JSON {
		return o.writeJSON(w, source, values)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#%s\n", source)
	for _, v := range values {
		fmt.Fprintf(&b, "%-32s%-16d%6.1f\n", v.Name, v.Value, 0.0)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeJSON keeps the order, which a map would not.
func (o *Options) writeJSON(w io.Writer, source string, values []Value) error {
	var b bytes.Buffer
	name, err := json.Marshal(source)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "{%s:{", name)
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%d", v.Name, v.Value)
	}
	b.WriteString("}}")
	if o.Pretty {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, b.Bytes(), "", "    "); err != nil {
			return err
		}
		b = pretty
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}
