package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
	"tcplab/internal/events"
	"tcplab/internal/netns"
	"tcplab/listener/handshake"
	"tcplab/listener/segment"
)

func TestMain(m *testing.M) {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "e2e: these tests make network namespaces and TUN devices: run them as root, with scripts/test.sh")
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

var (
	server  = netip.MustParseAddrPort("192.0.2.2:80")
	server6 = netip.MustParseAddrPort("[2001:db8:77::2]:80")
)

// lab is an endpoint in a network namespace of its own.
type lab struct {
	testing.TB
	*endpoint.Endpoint
	ns  *netns.Namespace
	ctx context.Context // ends long after the test should have
}

// up brings an endpoint up with the defaults as change, which is called inside the
// namespace, alters them.
func up(t testing.TB, change func(*endpoint.Config)) *lab {
	t.Helper()
	ns, err := netns.New("")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{TB: t, ns: ns}
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(context.Background(), 10*time.Minute+*soakFor)
	err = ns.Do(func() error {
		cfg := endpoint.Defaults()
		if change != nil {
			change(&cfg)
		}
		l.Endpoint, err = endpoint.Up(cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := l.Close(); err != nil {
			t.Errorf("closing the endpoint: %v", err)
		}
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func acceptOff(cfg *endpoint.Config) { cfg.Accept = app.Off }

// watch subscribes to events of these kinds.
func (l *lab) watch(kinds ...handshake.Kind) *events.Subscription {
	var set events.Kinds
	for _, kind := range kinds {
		set |= events.OneKind(kind)
	}
	s := l.Subscribe(1<<16, set)
	l.Cleanup(s.Close)
	return s
}

// next waits for the next event of s.
func (l *lab) next(s *events.Subscription) events.Event {
	l.Helper()
	e, err := s.Next(l.ctx)
	if err != nil {
		l.Fatalf("waiting for an event: %v", err)
	}
	return e
}

// connect has k clients connect one after another, each after the verdict on
// the one before, and returns them.
func (l *lab) connect(k int) []*netns.Client {
	l.Helper()
	return l.connectTo(server, k)
}

func (l *lab) connectTo(server netip.AddrPort, k int) []*netns.Client {
	l.Helper()
	verdicts := l.watch(handshake.SYNAdmitted, handshake.SYNDropped)
	clients := make([]*netns.Client, k)
	for i := range clients {
		c, err := l.ns.Connect(server)
		if err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() { c.Close() })
		clients[i] = c
		addr, err := c.LocalAddr()
		if err != nil {
			l.Fatal(err)
		}
		for l.next(verdicts).Tuple.Client() != addr {
			// another one's SYN, sent again
		}
	}
	return clients
}

// run runs a program inside the namespace and returns what it printed.
func (l *lab) run(name string, args ...string) string {
	l.Helper()
	out, err := l.ns.Output(exec.CommandContext(l.ctx, name, args...))
	if err != nil {
		status := l.Status(0)
		l.Fatalf("%s %s: %v\n%s\nlisteners: %v\nlink: %v", name, strings.Join(args, " "), err, out, status.Totals, status.Link)
	}
	return string(out)
}

// raw sends a crafted segment from any address, as the host would route it.
func (l *lab) raw(s *segment.Segment) {
	l.Helper()
	packet := segment.AppendRequest(nil, s)
	err := l.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		return errors.Join(unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: server.Addr().As4()}), unix.Close(fd))
	})
	if err != nil {
		l.Fatal(err)
	}
}

// spoofed is a client that is not there: nobody answers what it is sent.
func spoofed(port uint16) segment.Tuple {
	return segment.NewTuple(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), port), server)
}

// capture is a tcpdump that writes a file.
type capture struct {
	l    *lab
	cmd  *exec.Cmd
	file string
}

// tcpdump starts to capture on the endpoint's interface and returns when it
// does.
func (l *lab) tcpdump() *capture {
	l.Helper()
	c := &capture{l: l, file: filepath.Join(l.TempDir(), "tcpdump.pcap")}
	c.cmd = exec.Command("tcpdump", "-i", "tcplab0", "-U", "--immediate-mode", "-s", "128", "-w", c.file)
	stderr, err := c.cmd.StderrPipe()
	if err == nil {
		err = l.ns.Start(c.cmd)
	}
	if err != nil {
		l.Fatalf("tcpdump: %v", err)
	}
	said := bufio.NewReader(stderr)
	for line := ""; !strings.Contains(line, "listening on"); {
		if line, err = said.ReadString('\n'); err != nil {
			l.Fatalf("tcpdump does not say that it listens: %q, %v", line, err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return c
}

// stop ends tcpdump and returns the TCP segments of its file.
func (c *capture) stop() []captured {
	c.l.Helper()
	c.l.run("ping", "-c", "1", "-W", "5", server.Addr().String()) // all before it is in the file after it
	_ = c.cmd.Process.Signal(os.Interrupt)
	_ = c.cmd.Wait() // it was interrupted
	f, err := os.Open(c.file)
	if err != nil {
		c.l.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		c.l.Fatal(err)
	}
	var list []captured
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return list
		}
		packet := gopacket.NewPacket(data, layers.LayerTypeIPv4, gopacket.Default)
		ip, _ := packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
		tcp, _ := packet.Layer(layers.LayerTypeTCP).(*layers.TCP)
		if ip == nil || tcp == nil {
			continue
		}
		list = append(list, captured{info.Timestamp, ip, tcp})
	}
}

// captured is a segment in tcpdump's file.
type captured struct {
	at  time.Time
	ip  *layers.IPv4
	tcp *layers.TCP
}

func (c *captured) fromServer() bool { return c.ip.SrcIP.String() == server.Addr().String() }

// count counts the segments that match.
func count(list []captured, match func(*captured) bool) int {
	n := 0
	for i := range list {
		if match(&list[i]) {
			n++
		}
	}
	return n
}
