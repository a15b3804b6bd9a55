package nstat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tcplab/internal/endpoint"
)

// told is what a call shows, "Name=value" with blanks between.
func told(values []Value) string {
	var b strings.Builder
	var o Options
	_ = o.Write(&b, "x", values)
	var words []string
	for line := range strings.Lines(b.String()) {
		if fields := strings.Fields(line); len(fields) == 3 {
			words = append(words, fields[0]+"="+fields[1])
		}
	}
	return strings.Join(words, " ")
}

func TestCompare(t *testing.T) {
	now := &endpoint.Counters{Counters: map[string]uint64{
		"TcpOutRsts": 10, "TcpCurrEstab": 4, "TcpInSegs": 0, "TcpExtListenDrops": 3, "TcpLabOfTomorrow": 1,
	}}
	seen := map[string]uint64{"TcpOutRsts": 7, "TcpExtListenDrops": 3}
	for _, test := range []struct {
		options Options
		want    string
	}{
		{Options{}, "TcpOutRsts=3 TcpLabOfTomorrow=1"},
		{Options{Zeros: true}, "TcpCurrEstab=4 TcpInSegs=0 TcpOutRsts=3 TcpExtListenDrops=0 TcpLabOfTomorrow=1"},
		{Options{Absolute: true}, "TcpCurrEstab=4 TcpOutRsts=10 TcpExtListenDrops=3 TcpLabOfTomorrow=1"},
		{Options{Reset: true}, "TcpOutRsts=10 TcpExtListenDrops=3 TcpLabOfTomorrow=1"},
		{Options{Patterns: []string{"tcpEXT*", "*rsts"}, Zeros: true}, "TcpOutRsts=3 TcpExtListenDrops=0"},
	} {
		show, next := test.options.Compare(now, seen)
		if got := told(show); got != test.want {
			t.Errorf("%+v: %s, want %s", test.options, got, test.want)
		}
		if next["TcpOutRsts"] != 10 {
			t.Errorf("%+v: %v is seen", test.options, next)
		}
	}
	only := Options{Patterns: []string{"TcpExtListenDrops"}}
	if _, next := only.Compare(now, seen); next["TcpOutRsts"] != 7 || next["TcpExtListenDrops"] != 3 {
		t.Errorf("with a pattern, %v is seen: want the others as before", next)
	}
	if seen["TcpOutRsts"] != 7 {
		t.Error("what was seen before has changed")
	}
}

func TestJSON(t *testing.T) {
	values := []Value{{"TcpOutRsts", 18446744073709551615}, {"TcpInSegs", 0}}
	var b strings.Builder
	o := Options{JSON: true}
	if err := o.Write(&b, "tcplab0", values); err != nil || b.String() != `{"tcplab0":{"TcpOutRsts":18446744073709551615,"TcpInSegs":0}}`+"\n" {
		t.Errorf("%s, %v", b.String(), err)
	}
	b.Reset()
	o.Pretty = true
	if err := o.Write(&b, "tcplab0", nil); err != nil || b.String() != "{\n    \"tcplab0\": {}\n}\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestHistory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	h, err := OpenHistory("1-tcplab0")
	if err != nil {
		t.Fatal(err)
	}
	now := &endpoint.Counters{PID: 5, Started: time.Unix(1, 5)}
	read := func(want int, of *endpoint.Counters) {
		t.Helper()
		if seen, err := h.Read(of); err != nil || len(seen) != want {
			t.Errorf("%v was seen (%v), want %d values", seen, err, want)
		}
	}
	read(0, now)
	if err := h.Write(now, map[string]uint64{"a": 1, "b": 2}); err != nil {
		t.Fatal(err)
	}
	read(2, now)
	read(0, &endpoint.Counters{PID: 6, Started: now.Started})
	read(0, &endpoint.Counters{PID: 5, Started: now.Started.Add(time.Second)})
	if err := os.WriteFile(h.path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	read(0, now)
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(h.path), ".*")); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, err := OpenHistory("x"); err == nil || !strings.Contains(err.Error(), "set XDG_CACHE_HOME") {
		t.Errorf("without a home: %v", err)
	}
}
