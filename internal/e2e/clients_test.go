package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/segment"
)

// syn is a SYN as a kernel sends it.
func syn(tuple segment.Tuple, seq uint32) *segment.Segment {
	return &segment.Segment{
		Tuple: tuple, Seq: seq, Flags: segment.SYN, Window: 64240,
		Options: segment.Options{MSS: 1460, HasMSS: true, SACKPermitted: true, HasWindowScale: true, WindowScale: 7},
	}
}

func TestCurlGetsThePage(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	page := l.run("curl", "-sS", "-m", "30", "http://192.0.2.2/")
	for _, say := range []string{"bsd", "13"} {
		if !strings.Contains(page, say) {
			t.Errorf("the page does not say %q:\n%s", say, page)
		}
	}
	if got := l.run("curl", "-sS", "-m", "30", "http://192.0.2.2/bytes/1000"); len(got) != 1000 {
		t.Errorf("/bytes/1000 has %d bytes", len(got))
	}
}

// ab twice in a row: the second run reuses ports whose connections are in
// TIME-WAIT.
func TestApacheBench(t *testing.T) {
	up(t, func(cfg *endpoint.Config) { cfg.Backlog.Backlog = 128 }).benchTwice(20000)
}

// The same where each connection is made of a SYN cookie, but for those that
// reopen one in TIME-WAIT.
func TestApacheBenchWithCookies(t *testing.T) {
	l := up(t, func(cfg *endpoint.Config) {
		cfg.Profile, cfg.Backlog.Backlog, cfg.Backlog.Syncookies = profiles.Linux, 128, 2
	})
	l.benchTwice(5000)
	status := l.Status(0)
	if n, reused := status.Totals["SyncookiesRecv"], status.Link["TimeWaitReuses"]; n+reused < 10000 || n < 2500 {
		t.Errorf("%d connections were made of a cookie, %d reopened one in TIME-WAIT, want 10000 together", n, reused)
	}
}

func (l *lab) benchTwice(requests int) {
	l.Helper()
	for range 2 {
		out := l.run("ab", "-q", "-n", strconv.Itoa(requests), "-c", "100", "http://192.0.2.2/")
		for _, want := range []string{fmt.Sprintf(`Complete requests:\s+%d\n`, requests), `Failed requests:\s+0\n`} {
			if !regexp.MustCompile(want).MatchString(out) {
				l.Errorf("ab does not say %s:\n%s", want, out)
			}
		}
	}
	status := l.Status(0)
	for _, never := range []string{"AdoptionsFailed", "UnaskedSYNACKs", "OrphanedTranslations"} {
		if n := status.Link[never]; n != 0 {
			l.Errorf("%s is %d", never, n)
		}
	}
	if status.Link["TimeWaitReuses"] == 0 {
		l.Error("no connection in TIME-WAIT was reopened: the test does not test what it is for")
	}
}

// 100 MB in each direction arrive as they were sent, with offload, which makes
// for larger packets, and without.
func TestTransfersAreIntact(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://192.0.2.2", "http://[2001:db8:77::2]"} {
		for _, without := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s without offload %t", url, without), func(t *testing.T) {
				l := up(t, func(cfg *endpoint.Config) { cfg.NoOffload = without })
				dump := l.tcpdump()
				l.transfer(url)
				large := count(dump.stop(), func(c *captured) bool { return c.ip.Length > 1500 })
				if is4 := !strings.Contains(url, "["); is4 && (large == 0) != without {
					t.Errorf("%d packets larger than the MTU", large)
				}
				status := l.Status(0)
				if status.Offload == without || status.NoOffload != "" {
					t.Errorf("offload %t, %q", status.Offload, status.NoOffload)
				}
				for _, never := range []string{"InOffloadErrors", "InCsumErrors", "NetstackCsumErrors", "OutErrors"} {
					if n := status.Link[never]; n != 0 {
						t.Errorf("%s is %d", never, n)
					}
				}
			})
		}
	}
}

// transfer gets a file twice and sends it.
func (l *lab) transfer(url string) {
	t := l.TB
	t.Helper()
	const size = 100_000_000
	dir := t.TempDir()
	down := filepath.Join(dir, "down")
	l.run("curl", "-sS", "-m", "120", "-o", down, fmt.Sprintf("%s/bytes/%d", url, size))
	again := filepath.Join(dir, "again")
	l.run("curl", "-sS", "-m", "120", "-o", again, fmt.Sprintf("%s/bytes/%d", url, size))
	first, second := hash(t, down), hash(t, again)
	if first != second {
		t.Error("two downloads of the same bytes differ")
	}
	answer := l.run("curl", "-sS", "-m", "120", "--data-binary", "@"+down, url+"/upload")
	if !strings.Contains(answer, first) || !strings.Contains(answer, fmt.Sprint(size)) {
		t.Errorf("upload of %d bytes with SHA-256 %s was answered with %s", size, first, answer)
	}
}

func hash(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func TestClosedPortRefuses(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	_, err := l.ns.Dial(l.ctx, netip.MustParseAddrPort("192.0.2.2:81"))
	if !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("connecting to a closed port: %v, want connection refused", err)
	}
}

func TestPing(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	l.run("ping", "-c", "2", "-i", "0.1", "-W", "10", "192.0.2.2")
	l.run("ping", "-c", "1", "-s", "4000", "-W", "10", "192.0.2.2") // in fragments
}

// Data that comes with, or right behind, the final ACK reaches the application.
func TestEchoOfEarlyData(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) { cfg.App = "echo" })
	for range 50 {
		conn, err := l.ns.Dial(l.ctx, server)
		if err != nil {
			t.Fatal(err)
		}
		want := []byte("early")
		if _, err := conn.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := got.ReadFrom(conn); err != nil || !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("echo of %q is %q, %v", want, got.Bytes(), err)
		}
		conn.Close()
	}
}

// The interface is removed under the endpoint: it says so and ends cleanly.
func TestInterfaceRemoved(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	failed := make(chan error, 1)
	go func() { failed <- l.Wait(l.ctx) }()
	if out, err := l.ns.Output(exec.Command("ip", "link", "delete", "tcplab0")); err != nil {
		t.Fatalf("ip link delete: %v %s", err, out)
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "tcplab0") {
		t.Errorf("the endpoint says %v, want which interface is gone", err)
	}
}
