package instance_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tcplab/internal/events"
	"tcplab/internal/instance"
	"tcplab/internal/outfile"
)

// flooded runs an instance through a flood of SYNs, as fast as it takes them, and
// returns what it printed and the number of its events.
func flooded(t *testing.T, many int, change func(*instance.Config)) (printed string, happened int) {
	t.Helper()
	p := start(t, func(c *instance.Config) {
		c.Backlog.Backlog = 8
		change(c)
	})
	text := make(chan string, 1)
	go func() {
		all, err := io.ReadAll(p.output)
		if err != nil {
			t.Error(err)
		}
		text <- string(all)
	}()
	p.eventually("it answers", func() bool {
		_, err := p.client().Status(t.Context(), 0)
		return err == nil
	})
	for n := range many {
		p.syn(fmt.Sprintf("198.51.100.%d:%d", 1+n%254, 1024+n/254))
	}
	p.eventually("all SYNs have come", func() bool {
		status, err := p.client().Status(t.Context(), 0)
		return err == nil && status.Totals["SYNsReceived"] == uint64(many)
	})
	p.end()
	if err := p.result(); err != nil {
		t.Error(err)
	}
	const queued = 13
	return <-text, many + queued // which the end closes
}

// Of a flood, the file has every event, in order, though few may wait for it; none
// is lost.
func TestFloodLosesNoEvent(t *testing.T) {
	instance.SetFileRing(t, 16)
	path := filepath.Join(t.TempDir(), "x.jsonl")
	var told notes
	_, want := flooded(t, 3_000, func(c *instance.Config) {
		c.Files.Events, c.Quiet, c.Notes = path, true, &told
	})
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := 0
	var last time.Time
	for scanner := bufio.NewScanner(file); scanner.Scan(); lines++ {
		var r events.Record
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatalf("line %d: %v: %s", lines+1, err, scanner.Bytes())
		}
		if r.Lost != 0 || r.Time.Before(last) {
			t.Fatalf("line %d: %d lost, %v after %v", lines+1, r.Lost, r.Time, last)
		}
		last = r.Time
	}
	if lines != want {
		t.Errorf("%d lines, want %d", lines, want)
	}
	if told.String() != "" {
		t.Errorf("it says %q", &told)
	}
}

// Files of events stay within their bound, are of whole lines, and what is missing
// in them is told: with what was removed, it is every event.
func TestFloodOfRotatedEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl")
	rotation := outfile.Rotation{Size: 200_000, Keep: 2}
	var told notes
	_, want := flooded(t, 4_000, func(c *instance.Config) {
		c.Files.Events, c.Files.EventsFiles, c.Quiet, c.Notes = path, rotation, true, &told
	})
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	kept, size := 0, int64(0)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		size += int64(len(text))
		for line := range strings.Lines(string(text)) {
			if !json.Valid([]byte(line)) || !strings.HasSuffix(line, "\n") {
				t.Fatalf("%s has the line %q", name, line)
			}
			kept++
		}
	}
	if size > rotation.Bound() || size < rotation.Bound()/2 {
		t.Errorf("%d bytes, the bound is %d", size, rotation.Bound())
	}
	if want := fmt.Sprintf("tcplab: events to %s: %d written, %d of them in full files that rotation removed, 0 lost\n", path, want, want-kept); told.String() != want {
		t.Errorf("it says %q, want %q", &told, want)
	}
}

// What is printed of a flood is for people: few lines, in which every event is
// either shown or counted.
func TestFloodIsSummedUp(t *testing.T) {
	const many = 5_000
	began := time.Now()
	printed, want := flooded(t, many, func(*instance.Config) {})
	seconds := int(time.Since(began).Seconds()) + 2
	_, printed, _ = strings.Cut(printed, "tcplab down\n\n")
	single := regexp.MustCompile(`(?m)^[0-9:.]+  198\.51\.100\.[0-9]+:[0-9]+  `)
	sums := regexp.MustCompile(`(?m)^[0-9:.]+  ([0-9,]+) more (?:SYNs (?:dropped|admitted)|entries closed) in the last second: .*incomplete \d+, completed \d+`)
	lost := regexp.MustCompile(`(?m)^[0-9:.]+  \(([0-9]+) events not shown: the reader is too slow\)`)
	told := len(single.FindAllString(printed, -1))
	for _, found := range append(sums.FindAllStringSubmatch(printed, -1), lost.FindAllStringSubmatch(printed, -1)...) {
		n, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		told += n
	}
	if told != want {
		t.Errorf("%d events are shown or counted, want %d:\n%s", told, want, printed)
	}
	const perSecond = 50 + 3*2 // sums of three kinds, and losses
	if lines := strings.Count(printed, "\n"); lines > seconds*perSecond {
		t.Errorf("%d lines in %d seconds:\n%s", lines, seconds, printed)
	}
	if !strings.Contains(printed, " more SYNs dropped in the last second: 13 of 13 queued (incomplete 13, completed 0), bsd, backlog 8\n") {
		t.Errorf("no sum of dropped SYNs with its reason:\n%s", printed)
	}
}

// --quiet leaves out what is about one connection, and nothing else.
func TestQuiet(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		p := start(t, func(c *instance.Config) { c.Quiet, c.JSON = true, asJSON })
		if asJSON {
			p.until(`"kind":"up"`)
		} else {
			p.until("tcplab down")
		}
		p.syn("198.51.100.7:4000")
		p.eventually("the SYN has come", func() bool {
			status, err := p.client().Status(t.Context(), 0)
			return err == nil && status.Totals["SYNsReceived"] == 1
		})
		for range 100 { // nobody reads: that is no reason to wait
			if _, err := p.client().Set(t.Context(), map[string]string{"accept": "off", "backlog": "2"}); err != nil {
				t.Fatal(err)
			}
		}
		p.end()
		rest, err := io.ReadAll(p.output)
		if err != nil {
			t.Fatal(err)
		}
		want := `^\n?([0-9:.]+  set accept=off backlog=2: bsd: incomplete \+ completed <= 4, that is 3\*2/2\+1\n)+down: 1 SYNs, .*\n$`
		if asJSON {
			want = `^({"time":"[^"]+","kind":"set","changes":{"accept":"off","backlog":"2"}}\n)+{"time":"[^"]+","kind":"down","totals":.*\n$`
		}
		if !regexp.MustCompile(want).Match(rest) {
			t.Errorf("it says\n%s", rest)
		}
		if err := p.result(); err != nil {
			t.Error(err)
		}
	}
}
