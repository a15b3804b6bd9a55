package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	pcapng "tcplab/internal/capture"
	"tcplab/internal/endpoint"
	"tcplab/internal/netns"
	"tcplab/internal/outfile"
	"tcplab/internal/trace"
	"tcplab/listener/backlog/profiles"
	"tcplab/listener/handshake"
)

// annotated is a capture of the endpoint's own, in a file.
type annotated struct {
	l       *lab
	file    *pcapng.File
	packets *trace.Subscription
	encoder *pcapng.Encoder
	done    chan error
}

// capture starts to capture, as "tcplab up --capture" does.
func (l *lab) capture() *annotated {
	l.Helper()
	return l.captureWith(pcapng.Ring)
}

// captureWith starts to capture with room for so many packets that wait.
func (l *lab) captureWith(ring int) *annotated {
	l.Helper()
	c := &annotated{l: l, packets: l.Trace(ring, pcapng.Snaplen), done: make(chan error, 1)}
	var err error
	if c.file, err = pcapng.Create(filepath.Join(l.TempDir(), "x.pcapng"), outfile.Rotation{}); err != nil {
		l.Fatal(err)
	}
	if c.encoder, err = pcapng.NewEncoder(pcapng.Describe(l.Status(0), pcapng.Snaplen)); err != nil {
		l.Fatal(err)
	}
	go func() { c.done <- pcapng.Copy(context.Background(), c.file, c.packets, c.encoder) }()
	return c
}

// stop ends the capture, with all packets that there have been.
func (c *annotated) stop() {
	c.l.Helper()
	c.packets.Close()
	if err := <-c.done; err != nil {
		c.l.Error(err)
	}
	if err := c.file.Close(); err != nil {
		c.l.Error(err)
	}
}

// tshark is what tshark shows of the packets that a filter selects, a line each.
func (c *annotated) tshark(filter string, fields ...string) []string {
	c.l.Helper()
	args := []string{"-r", c.file.Path(), "-Y", filter, "-T", "fields"}
	for i := 0; i < len(fields); i++ {
		if fields[i] == "-o" { // a preference follows
			args = append(args, fields[i], fields[i+1])
			i++
			continue
		}
		args = append(args, "-e", fields[i])
	}
	var lines []string
	for line := range strings.Lines(c.l.run("tshark", args...)) {
		if !strings.HasPrefix(line, "Running as user") { // a warning
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// verified is tshark with each TCP checksum verified: the packets' lengths, and
// the numbers of those whose checksum is not right.
func (c *annotated) verified() (lengths, wrong []string) {
	c.l.Helper()
	lines := c.tshark("tcp", "-o", "tcp.check_checksum:TRUE", "ip.len", "tcp.checksum.status", "frame.number")
	for _, line := range lines {
		length, rest, _ := strings.Cut(line, "\t")
		lengths = append(lengths, length)
		if status, number, _ := strings.Cut(rest, "\t"); status != "1" {
			wrong = append(wrong, number)
		}
	}
	return lengths, wrong
}

// Packets that are larger than the MTU and whose checksum nobody finished are in
// the capture whole, and with the checksum that they would have on a wire.
func TestCaptureOfOffloadedPackets(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	c := l.capture()
	file := filepath.Join(t.TempDir(), "down")
	l.run("curl", "-sS", "-m", "60", "-o", file, "http://192.0.2.2/bytes/2000000")
	l.run("curl", "-sS", "-m", "60", "--data-binary", "@"+file, "http://192.0.2.2/upload")
	l.Close()
	c.stop()
	lengths, wrong := c.verified()
	large := slices.ContainsFunc(lengths, func(length string) bool { return len(length) > 4 })
	if !large || len(wrong) > 0 {
		t.Errorf("of %d packets, one has more than 9,999 bytes: %t; wrong checksums in frames %v", len(lengths), large, wrong)
	}
}

const (
	synFilter    = "tcp.flags.syn == 1 && tcp.flags.ack == 0"
	synACKFilter = "tcp.flags.syn == 1 && tcp.flags.ack == 1"
	inbound      = "0x00000001"
	outbound     = "0x00000002"
)

// Thirty clients at a backlog of 8 that nobody accepts from: each SYN says what
// became of it and why, and as many were dropped as the counters say.
func TestCaptureHasAReasonForEachDroppedSYN(t *testing.T) {
	t.Parallel()
	l := up(t, acceptOff)
	c := l.capture()
	for i := range 13 { // one after another, so that each finds the incomplete queue empty
		if err := l.connect(1)[0].Wait(l.ctx); err != nil {
			t.Fatalf("client %d: %v", i+1, err)
		}
	}
	l.connect(17)
	l.Close() // nothing is dropped any more
	c.stop()

	dropped, admitted := 0, 0
	for _, line := range c.tshark(synFilter, "frame.packet_flags_direction", "frame.comment") {
		switch direction, comment, _ := strings.Cut(line, "\t"); {
		case direction != inbound:
			t.Errorf("a SYN's direction is %s, want %s", direction, inbound)
		case comment == "SYN dropped: 13 of 13 queued (incomplete 0, completed 13), bsd, backlog 8":
			dropped++
		case strings.HasPrefix(comment, "SYN admitted: incomplete 1, completed "):
			admitted++
		default:
			t.Errorf("a SYN has the comment %q", comment)
		}
	}
	if want := int(l.Totals()["ListenDrops"]); dropped != want || dropped < 17 || admitted != 13 {
		t.Errorf("%d SYNs are said to be dropped, %d admitted, want ListenDrops, %d, and 13", dropped, admitted, want)
	}
	promoted := c.tshark(`frame.comment contains "promoted: incomplete 0, completed"`, "tcp.flags")
	if !slices.Equal(promoted, slices.Repeat([]string{"0x0010"}, 13)) {
		t.Errorf("the packets that promoted have the flags %v, want 13 ACKs", promoted)
	}
	for _, line := range c.tshark(synACKFilter, "frame.packet_flags_direction") {
		if line != outbound {
			t.Errorf("a SYN-ACK's direction is %s, want %s", line, outbound)
		}
	}
	if closed := c.tshark(`frame.comment contains "closed: "`, "tcp.flags.reset"); len(closed) != 13 {
		t.Errorf("%d RSTs show that the listener closed, want 13", len(closed))
	}

	read := strings.Count(l.run("tcpdump", "-n", "-t", "-q", "-r", c.file.Path()), "\n")
	if uint64(read) < c.encoder.Packets { // it says a line or two of its own
		t.Errorf("tcpdump reads %d packets, want %d", read, c.encoder.Packets)
	}
}

// A SYN-ACK stands behind the SYN that it answers, and each packet behind those
// that were seen before.
func TestCaptureIsInOrder(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) { cfg.Backlog.Backlog = 128 })
	c := l.capture()
	l.run("ab", "-q", "-n", "500", "-c", "50", "http://192.0.2.2/")
	c.stop()
	var last string
	seen := make(map[string]bool)
	for _, line := range c.tshark("tcp", "frame.time_epoch", "tcp.stream", "tcp.flags", "frame.comment") {
		fields := strings.Split(line, "\t")
		if fields[0] < last {
			t.Fatalf("%s comes after %s", fields[0], last)
		}
		last = fields[0]
		switch stream := fields[1]; {
		case fields[2] == "0x0002" && strings.HasPrefix(fields[3], "SYN admitted"):
			seen[stream] = true
		case !seen[stream]:
			t.Fatalf("no SYN that was admitted before %q", line)
		}
	}
	if len(seen) < 500 { // ab begins a few that it does not need
		t.Errorf("%d connections, want at least 500", len(seen))
	}
	comments := strings.Join(c.tshark(`frame.comment contains "accepted: waited"`, "frame.comment"), "\n")
	if n := strings.Count(comments, "accepted: waited"); n < 500 {
		t.Errorf("%d accepts are shown, want at least 500", n)
	}
}

// What leaves is captured with the client's numbers, and none is missing: each
// acknowledgment is of something that was captured.
func TestCaptureHasTheClientsNumbers(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	c := l.capture()
	l.run("curl", "-sS", "-m", "60", "-o", "/dev/null", "http://192.0.2.2/bytes/3000000")
	l.run("curl", "-sS", "-g", "-m", "60", "-o", "/dev/null", "http://[2001:db8:77::2]/bytes/3000000")
	c.stop()
	if wrong := c.tshark("tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment || ip.checksum.status == 0", "frame.number"); len(wrong) > 0 {
		t.Errorf("tshark finds fault with the packets %v", wrong)
	}
	if n := len(c.tshark(`ipv6 && frame.comment contains "promoted"`, "frame.number")); n != 1 {
		t.Errorf("%d final ACKs over IPv6 have a comment, want 1", n)
	}
}

// What the timers do shows at the packets that they send.
func TestCaptureShowsTimers(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) {
		cfg.SYNTimeout = 1500 * time.Millisecond
		p := *profiles.BSD
		p.Schedule.Retransmit = []time.Duration{500 * time.Millisecond}
		cfg.Profile = &p
	})
	c := l.capture()
	expired := l.watch(handshake.Expired)
	l.raw(syn(spoofed(4000), 1000))
	l.next(expired)
	l.run("ping", "-c", "1", "-W", "10", server.Addr().String()) // its RST has left before
	c.stop()
	again := c.tshark(synACKFilter+` && frame.comment contains "SYN-ACK sent again: no final ACK after"`, "frame.comment")
	reset := c.tshark(`tcp.flags.reset == 1 && frame.comment contains "expired: no final ACK after"`, "frame.comment")
	if len(again) != 1 || len(reset) != 1 {
		t.Errorf("SYN-ACKs sent again: %q, RSTs of the expiry: %q, want one each", again, reset)
	}
}

// A flood is captured to the last SYN, each with its reason.
func TestCaptureOfAFlood(t *testing.T) {
	t.Parallel()
	l := up(t, nil)
	c := l.capture()
	sent, err := l.ns.Flood(l.ctx, netns.Flood{To: server, Rate: 10_000, Count: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c.stop()
	totals := l.Totals()
	comments := strings.Join(c.tshark(synFilter, "frame.comment"), "\n")
	dropped, admitted := strings.Count(comments, "SYN dropped: "), strings.Count(comments, "SYN admitted: ")
	if c.encoder.Lost != 0 || uint64(dropped) != totals["ListenDrops"] || uint64(dropped+admitted) != totals["SYNsReceived"] {
		t.Errorf("of %d SYNs %d are said to be dropped and %d admitted, %v; want %d and all of %d",
			sent, dropped, admitted, c.encoder.Totals, totals["ListenDrops"], totals["SYNsReceived"])
	}
}

// A capture that is much too slow for a download says how many packets it lost:
// with those in the file they are all that passed.
func TestCaptureSaysWhatItLost(t *testing.T) {
	t.Parallel()
	l := up(t, func(cfg *endpoint.Config) {
		cfg.Links = cfg.Links[:1]
		// The host sends nothing by itself then.
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0); err != nil {
			t.Error(err)
		}
	})
	passed := func() uint64 {
		n := l.Status(0).Link
		return n["PacketsIn"] + n["PacketsOut"] + n["OutErrors"]
	}
	before := passed()
	c := l.captureWith(16) // packets that wait, instead of 65,536
	l.run("curl", "-sS", "-m", "120", "-o", "/dev/null", "http://192.0.2.2/bytes/30000000")
	l.Close()
	c.stop()
	written, lost, statistics := c.read()
	if want := passed() - before; written+lost != want || lost == 0 {
		t.Errorf("%d packets are in the file, %d are said to be lost; want losses, and %d together", written, lost, want)
	}
	if totals := c.encoder.Totals; totals != (pcapng.Totals{Packets: written, Lost: lost}) ||
		statistics.PacketsReceived != written+lost || statistics.PacketsDropped != lost {
		t.Errorf("%v, and %+v at the end of the file; want %d and %d", totals, statistics, written, lost)
	}
}

// read reads the file: how many packets it has, how many it says are missing,
// and its statistics.
func (c *annotated) read() (packets, missing uint64, s pcapgo.NgInterfaceStatistics) {
	c.l.Helper()
	f, err := os.Open(c.file.Path())
	if err != nil {
		c.l.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{})
	if err != nil {
		c.l.Fatal(err)
	}
	for {
		_, _, options, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.l.Fatalf("packet %d: %v", packets+1, err)
		}
		packets++
		if options.DropCount != nil {
			missing += *options.DropCount
		}
	}
	i, err := r.Interface(0)
	if err != nil {
		c.l.Fatal(err)
	}
	return packets, missing, i.Statistics
}

// What a capture costs a download: docs/capture.md says how to run it.
func BenchmarkDownload(b *testing.B) {
	const size = 200_000_000
	for _, captured := range []bool{false, true} {
		b.Run(fmt.Sprintf("capture=%t", captured), func(b *testing.B) {
			l := up(b, nil)
			if captured {
				c := l.capture()
				defer func() {
					c.stop()
					b.ReportMetric(float64(c.encoder.Lost)/float64(c.encoder.Packets+c.encoder.Lost), "lost/packet")
				}()
			}
			b.SetBytes(size)
			for b.Loop() {
				l.run("curl", "-sS", "-m", "120", "-o", "/dev/null", fmt.Sprintf("http://192.0.2.2/bytes/%d", size))
			}
		})
	}
}
