package instance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/internal/instance"
	"tcplab/listener/segment"
	"tcplab/tun/tuntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// process is an instance on a device in memory.
type process struct {
	*testing.T
	dev    *tuntest.Device
	output *bufio.Reader // what it writes
	end    context.CancelFunc
	ended  chan error
}

// start starts an instance with the defaults as change alters them.
func start(t *testing.T, change func(*instance.Config)) *process {
	t.Helper()
	t.Setenv(control.RunDirVariable, filepath.Join(t.TempDir(), "run"))
	read, write := io.Pipe()
	p := &process{T: t, dev: tuntest.New(1500), output: bufio.NewReader(read), ended: make(chan error, 1)}
	cfg := instance.Config{Config: endpoint.Defaults(), Out: write}
	cfg.Device, cfg.Links = p.dev, cfg.Links[:1]
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.end = cancel
	go func() {
		p.ended <- instance.Run(ctx, cfg)
		_ = write.Close()
	}()
	watchdog := time.AfterFunc(30*time.Second, func() { read.CloseWithError(errors.New("the test takes too long")) })
	t.Cleanup(func() {
		cancel()
		watchdog.Stop()
		_ = read.Close() // a blocked writer ends
	})
	return p
}

// until reads lines until one contains text, and returns all of them.
func (p *process) until(text string) string {
	p.Helper()
	var lines strings.Builder
	for {
		line, err := p.output.ReadString('\n')
		lines.WriteString(line)
		if err != nil {
			p.Fatalf("no %q in the output, but %v after\n%s", text, err, &lines)
		}
		if strings.Contains(line, text) {
			return lines.String()
		}
	}
}

// result is what Run returned. Everything is gone then.
func (p *process) result() error {
	p.Helper()
	select {
	case err := <-p.ended:
		if _, readErr := p.dev.Read(make([]byte, 1500)); !errors.Is(readErr, os.ErrClosed) {
			p.Errorf("the device is still open: %v", readErr)
		}
		if left, _ := filepath.Glob(control.RunDir() + "/*/*"); len(left) > 0 {
			p.Errorf("left behind: %v", left)
		}
		return err
	case <-time.After(time.Minute):
		p.Fatal("the instance does not end")
		return nil
	}
}

// syn sends a SYN to port 80.
func (p *process) syn(client string) {
	p.Helper()
	packet := segment.AppendRequest(nil, &segment.Segment{
		Tuple: segment.NewTuple(netip.MustParseAddrPort(client), netip.MustParseAddrPort("192.0.2.2:80")),
		Seq:   1, Flags: segment.SYN, Window: 1000,
	})
	if err := p.dev.Inject(packet); err != nil {
		p.Fatal(err)
	}
}

func (p *process) client() *control.Client {
	p.Helper()
	c, err := control.NewClient("tcplab0", nil)
	if err != nil {
		p.Fatal(err)
	}
	return c
}

func TestWhatAnInstanceSays(t *testing.T) {
	p := start(t, func(c *instance.Config) { c.Backlog.Backlog = 0 })
	got := p.until("tcplab down")
	want := `listening on 192.0.2.2:80 (http, accept auto)
through tcplab0: 192.0.2.2 (host 192.0.2.1/24), mtu 1500
bsd: incomplete + completed <= 1, that is 3*0/2+1

to try, in another terminal:
  curl http://192.0.2.2/
  ab -n 20000 -c 100 http://192.0.2.2/
  sudo tcpdump -n -i tcplab0
  tcplab status
  tcplab set accept=off
  tcplab down
`
	if got != want {
		t.Errorf("banner\n%swant\n%s", got, want)
	}
	p.syn("192.0.2.1:40001")
	p.until("192.0.2.1:40001  SYN admitted: incomplete 1, completed 0")
	p.syn("192.0.2.1:40002")
	p.until("192.0.2.1:40002  SYN dropped: 1 of 1 queued (incomplete 1, completed 0), bsd, backlog 0")
	p.end()
	p.until("192.0.2.1:40001  closed: ")
	p.until("down: 2 SYNs, 1 dropped (SYNs and final ACKs), 0 promoted, 0 accepted, 0 expired, 0 reset by clients")
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

func TestSuggestionsFitTheInstance(t *testing.T) {
	link6 := endpoint.Link{Host: netip.MustParsePrefix("2001:db8::1/64"), Addr: netip.MustParseAddr("2001:db8::2")}
	for _, test := range []struct {
		change func(*instance.Config)
		want   []string
	}{
		{func(c *instance.Config) { c.Ports = []uint16{8080, 81} },
			[]string{"listening on 192.0.2.2:8080 (", "listening on 192.0.2.2:81 (", "  curl http://192.0.2.2:8080/\n"}},
		{func(c *instance.Config) { c.App, c.Ports = "echo", []uint16{7} }, []string{"  nc 192.0.2.2 7\n"}},
		{func(c *instance.Config) { c.Dev = "lab1" }, []string{"  tcplab set accept=off --dev lab1\n"}},
		{func(c *instance.Config) { _ = c.Set("accept", "off") }, []string{"  tcplab accept 1\n"}},
		{func(c *instance.Config) { c.Links = append(c.Links, link6) }, []string{"listening on 192.0.2.2:80, [2001:db8::2]:80 ("}},
		{func(c *instance.Config) { c.Links = []endpoint.Link{link6} }, []string{"  curl http://[2001:db8::2]/\n"}},
	} {
		p := start(t, test.change)
		banner := p.until("tcplab down")
		for _, want := range test.want {
			if !strings.Contains(banner, want) {
				t.Errorf("no %q in\n%s", want, banner)
			}
		}
		p.end()
		p.until("down: ")
		if err := p.result(); err != nil {
			t.Error(err)
		}
	}
}

func TestJSONLines(t *testing.T) {
	p := start(t, func(c *instance.Config) { c.JSON = true })
	line := func() (o struct {
		Time   time.Time
		Kind   string
		Client string
		Status *endpoint.Status
		Totals map[string]uint64
	}) {
		t.Helper()
		text, err := p.output.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil || o.Time.IsZero() {
			t.Fatalf("%v: %s", err, text)
		}
		return o
	}
	if o := line(); o.Kind != "up" || o.Status.Listeners[0].Rule != "incomplete + completed <= 13, that is 3*8/2+1" {
		t.Errorf("first line %+v", o)
	}
	p.syn("192.0.2.1:40001")
	if o := line(); o.Kind != "syn-admitted" || o.Client != "192.0.2.1:40001" {
		t.Errorf("line of an event %+v", o)
	}
	p.end()
	line()
	if o := line(); o.Kind != "down" || o.Totals["SYNsReceived"] != 1 {
		t.Errorf("last line %+v", o)
	}
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

func TestDown(t *testing.T) {
	p := start(t, nil)
	p.until("tcplab down")
	go func() { _, _ = io.Copy(io.Discard, p.output) }()
	stopped, err := p.client().Down(t.Context())
	if err != nil || stopped.Error != "" || stopped.Totals == nil {
		t.Errorf("%+v, %v", stopped, err)
	}
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

func TestSecondInstance(t *testing.T) {
	p := start(t, nil)
	p.until("tcplab down")
	cfg := instance.Config{Config: endpoint.Defaults(), Out: io.Discard}
	cfg.Device = tuntest.New(1500)
	if err := instance.Run(t.Context(), cfg); !errors.As(err, new(*control.RunningError)) {
		t.Errorf("error %v, want that one is running", err)
	}
	p.end()
	p.until("down: ")
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

// Nobody reads the output: the instance serves, ends when it is told to, and
// does not wait for ever.
func TestNobodyReads(t *testing.T) {
	p := start(t, nil)
	p.until("tcplab down")
	for port := range 100 {
		p.syn(fmt.Sprintf("192.0.2.1:%d", 1+port))
	}
	if _, err := p.client().Status(t.Context(), 1); err != nil {
		t.Error(err)
	}
	p.end()
	if err := p.result(); err != nil {
		t.Error(err)
	}
	_, _ = p.output.Discard(1 << 20) // lets the writer go
}

// What was lost while nobody read is told to who reads again.
func TestLossIsTold(t *testing.T) {
	p := start(t, func(c *instance.Config) { c.Backlog.Backlog = 1 })
	p.until("tcplab down")
	for port := range 3 * 4096 {
		p.syn(fmt.Sprintf("192.0.2.1:%d", 1+port))
	}
	if _, err := p.client().Status(t.Context(), 1); err != nil { // the device is read in the meantime
		t.Error(err)
	}
	p.until("events not shown: the reader is too slow)")
	p.end()
	p.until("down: ")
	if err := p.result(); err != nil {
		t.Error(err)
	}
}

// fails is a writer that fails after so many bytes.
type fails struct{ left int }

func (f *fails) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

func TestOutputThatFails(t *testing.T) {
	for name, left := range map[string]int{"at the banner": 0, "at an event": 1000} {
		t.Run(name, func(t *testing.T) {
			p := start(t, func(c *instance.Config) { c.Out = &fails{left} })
			go func() {
				for port := range uint16(100) {
					if p.dev.Inject(segment.AppendRequest(nil, &segment.Segment{
						Tuple: segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 1+port), netip.MustParseAddrPort("192.0.2.2:80")),
						Flags: segment.SYN,
					})) != nil {
						return
					}
				}
			}()
			if err := p.result(); err == nil || !strings.Contains(err.Error(), "the output cannot be written any more: broken pipe") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestInBackground(t *testing.T) {
	var out bytes.Buffer
	ready := make(chan string, 1)
	p := start(t, func(c *instance.Config) {
		c.Out = &out
		c.Ready = func() error { ready <- out.String(); return nil }
	})
	if banner := <-ready; !strings.Contains(banner, "listening on") {
		t.Errorf("said before it was ready: %q", banner)
	}
	said := out.Len()
	p.syn("192.0.2.1:40001")
	if _, err := p.client().Down(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.result(); err != nil {
		t.Error(err)
	}
	if out.Len() != said {
		t.Errorf("said in the background: %q", out.String()[said:])
	}
}

func TestNobodyWaitsForTheBackground(t *testing.T) {
	gone := errors.New("nobody waits")
	p := start(t, func(c *instance.Config) {
		c.Out = io.Discard
		c.Ready = func() error { return gone }
	})
	if err := p.result(); !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
}

func TestInterfaceThatIsRemoved(t *testing.T) {
	p := start(t, nil)
	p.until("tcplab down")
	if err := p.dev.Close(); err != nil {
		t.Fatal(err)
	}
	p.until("down: ")
	if err := p.result(); err == nil || !strings.Contains(err.Error(), "the interface tcplab0 cannot be read any more") {
		t.Errorf("error %v", err)
	}
}
