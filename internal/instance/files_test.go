package instance_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"tcplab/internal/instance"
	"tcplab/internal/outfile"
)

// notes are what an instance says of its files.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// commentsIn are all comments in a capture.
func commentsIn(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for {
		_, _, options, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, options.Comments...)
	}
}

// Packets and events are in their files, the last ones too, and while the
// instance runs within a second or so.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	pcapng, jsonl := filepath.Join(dir, "x.pcapng"), filepath.Join(dir, "x.jsonl")
	var told notes
	p := start(t, func(c *instance.Config) {
		c.Backlog.Backlog = 0
		c.Files = instance.Files{Capture: pcapng, Events: jsonl}
		c.Notes = &told
	})
	p.until("tcplab down")
	p.syn("198.51.100.7:4000")
	p.syn("198.51.100.7:4001")
	p.until("4001  SYN dropped")
	p.eventually("both in the capture", func() bool { return len(commentsIn(t, pcapng)) >= 2 })
	p.eventually("both in the events", func() bool {
		text, _ := os.ReadFile(jsonl)
		return strings.Count(string(text), "\n") >= 2
	})
	p.end()
	p.until("down: ")
	if err := p.result(); err != nil {
		t.Error(err)
	}
	comments := commentsIn(t, pcapng)
	if len(comments) < 3 || comments[1] != "SYN dropped: 1 of 1 queued (incomplete 1, completed 0), bsd, backlog 0" ||
		comments[len(comments)-1] != "closed: incomplete 0, completed 0" {
		t.Errorf("comments %q", comments)
	}
	text, _ := os.ReadFile(jsonl)
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); !strings.Contains(lines[len(lines)-1], `"kind":"closed"`) {
		t.Errorf("events:\n%s", text)
	}
	if !strings.HasPrefix(told.String(), "tcplab: "+pcapng+": ") || !strings.HasSuffix(told.String(), " packets captured, 0 lost\n") {
		t.Errorf("it says %q", told.String())
	}
}

// eventually waits for what goroutines of others do.
func (p *process) eventually(what string, reached func() bool) {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); !reached(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("never: %s", what)
		}
	}
}

// A full disk ends the file, not the instance; that is told once, and again by
// tcplab down.
func TestDiskFull(t *testing.T) {
	for _, files := range []instance.Files{{Capture: "/dev/full"}, {Events: "/dev/full"}} {
		var told notes
		p := start(t, func(c *instance.Config) { c.Files, c.Notes = files, &told })
		p.until("tcplab down")
		p.syn("198.51.100.7:4000")
		p.until("SYN admitted")
		p.eventually("that it fails is told", func() bool { return told.String() != "" })
		p.syn("198.51.100.7:4001")
		p.until("4001  SYN admitted")
		stopped := make(chan string)
		go func() {
			final, err := p.client().Down(t.Context())
			if err != nil {
				t.Error(err)
			}
			stopped <- final.Error
		}()
		p.until("down: ")
		if err := p.result(); err != nil {
			t.Error(err)
		}
		const want = "to /dev/full: no space left on device: it ends here"
		if told := told.String(); strings.Count(told, want) != 1 || strings.Count(told, "\n") != 1 {
			t.Errorf("told %q", told)
		}
		if final := <-stopped; !strings.Contains(final, want) {
			t.Errorf("tcplab down says %q", final)
		}
	}
}

// A file that cannot be made keeps the instance from coming up.
func TestFileCannotBeMade(t *testing.T) {
	for _, files := range []instance.Files{
		{Capture: "/nowhere/x"}, {Events: "/nowhere/x"}, {Capture: "-"}, {Events: "-"}, {Capture: "x", Events: "x"},
		{Capture: "x", Snaplen: 1}, {Capture: "x", CaptureFiles: outfile.Rotation{Size: 1}}, {Events: "x", EventsFiles: outfile.Rotation{Size: 1}},
	} {
		p := start(t, func(c *instance.Config) { c.Files = files })
		if _, err := io.ReadAll(p.output); err != nil {
			t.Error(err)
		}
		if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "give") {
			t.Errorf("%+v: %v, want what to give", files, err)
		}
	}
}

// Whoever reads a FIFO and stops does not keep the instance from ending.
func TestReaderOfTheFIFOStops(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	p := start(t, func(c *instance.Config) { c.Files.Capture = fifo })
	p.until("tcplab down")
	for n := range 5000 { // more than a FIFO holds
		p.syn("198.51.100.7:" + []string{"4000", "4001"}[n%2])
	}
	p.end()
	p.until("down: ")
	if err := p.result(); err != nil {
		t.Error(err)
	}
}
