package tun

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"tcplab/tun/offload"
)

// stepVariable names the step after which a child of these tests waits to be
// killed.
const stepVariable = "TCPLAB_TEST_TUN_STEP"

// childAtStep makes an interface and stops after the step.
func childAtStep(name string) {
	step = func(done string) {
		if done == name {
			fmt.Println(name)
			_, _ = io.Copy(io.Discard, os.Stdin) // until the end
		}
	}
	_, err := Create(Config{Name: "lab0", Host: subnet, Offload: true})
	fmt.Println("failed:", err)
}

func interfaces(t *testing.T, in interface{ Do(func() error) error }) []string {
	t.Helper()
	var names []string
	err := in.Do(func() error {
		links, err := netlink.LinkList()
		for _, link := range links {
			if link.Attrs().Name != "lo" {
				names = append(names, link.Attrs().Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A process that is killed at any step leaves nothing that is in the way, and
// nothing at all once the next one has started.
func TestKilledAtEachStep(t *testing.T) {
	for _, at := range []struct {
		step   string
		leaves bool
	}{
		{"made", true}, {"detached", true}, {"attached", true},
		{"transient", false}, {"named", false}, {"up", false},
	} {
		t.Run(at.step, func(t *testing.T) {
			n := namespace(t)
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), stepVariable+"="+at.step)
			stdin, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			stdout, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := n.Start(child); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil || line != at.step+"\n" {
				t.Errorf("the child says %q, %v", line, err)
			}
			_ = child.Process.Kill()
			_ = child.Wait()

			var left []string
			for _, name := range interfaces(t, n) {
				if !strings.HasPrefix(name, leftover) && at.leaves {
					t.Errorf("left behind: %s", name)
				}
				left = append(left, name)
			}
			if !at.leaves {
				// The kernel removes it when it gets to it.
				for len(interfaces(t, n)) > 0 {
					time.Sleep(time.Millisecond)
				}
			} else if len(left) != 1 {
				t.Errorf("left behind: %v, want one", left)
			}
			d := create(t, n, Config{Name: "lab0", Host: subnet, Offload: true})
			if got := interfaces(t, n); len(got) != 1 || got[0] != "lab0" {
				t.Errorf("interfaces after the next start: %v, want lab0 alone", got)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
			if got := interfaces(t, n); len(got) != 0 {
				t.Errorf("interfaces after Close: %v, want none", got)
			}
		})
	}
}

// Clearing does not touch what is in use, what is somebody else's, or what has
// merely a similar name.
func TestLeftoversAreToldApart(t *testing.T) {
	n := namespace(t)
	err := n.Do(func() error {
		for _, link := range []netlink.Link{
			&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tcplab7"}, Mode: netlink.TUNTAP_MODE_TUN},
			&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: leftover + "000001"}, Mode: netlink.TUNTAP_MODE_TUN},
		} {
			if err := netlink.LinkAdd(link); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	used, err := func() (d *Device, err error) {
		err = n.Do(func() (err error) { d, err = Create(Config{Name: leftover + "used", Host: subnet}); return })
		return
	}()
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	create(t, n, Config{Name: "lab0", Host: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")}, Offload: true})
	got := interfaces(t, n)
	want := map[string]bool{"tcplab7": true, leftover + "used": true, "lab0": true}
	if len(got) != len(want) {
		t.Errorf("interfaces %v, want %v", got, want)
	}
	for _, name := range got {
		if !want[name] {
			t.Errorf("interface %s is still there", name)
		}
	}
}

// With offload the host leaves the checksum to us, and says so.
func TestOffloadHeader(t *testing.T) {
	n := namespace(t)
	d := create(t, n, Config{Name: "lab0", Host: subnet, Offload: true})
	if !d.Offload() || d.Refused() != nil {
		t.Fatalf("no offload: %v", d.Refused())
	}
	c, err := n.Connect(netip.MustParseAddrPort("192.0.2.2:80"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	buf := make([]byte, offload.Size+offload.MaxPacket)
	for {
		h, packet, err := d.ReadOffload(buf)
		if err != nil {
			t.Fatal(err)
		}
		if packet[0]>>4 != 4 || packet[9] != 6 {
			continue
		}
		if err := h.Check(4, 6, 20, len(packet)); err != nil || !h.Flags.Has(offload.NeedsChecksum) {
			t.Errorf("a SYN comes with %+v: %v", h, err)
		}
		// Its answer, RST with a checksum that we leave unfinished: connect fails.
		reply := make([]byte, offload.Size+40)
		reset(reply[offload.Size:], packet)
		h = offload.Header{Flags: offload.NeedsChecksum, ChecksumStart: 20, ChecksumOffset: 16}
		if err := d.WriteOffload(h, reply); err != nil {
			t.Fatal(err)
		}
		break
	}
	if err := c.Wait(t.Context()); err == nil {
		t.Error("connected, though it was reset")
	}
	framed := make([]byte, offload.Size+40)
	if allocs := testing.AllocsPerRun(100, func() { _ = d.WriteOffload(offload.Header{}, framed) }); allocs != 0 {
		t.Errorf("a write allocates %v times", allocs)
	}
}

// reset makes the RST|ACK for a SYN, its checksum the pseudo header's alone.
func reset(packet, syn []byte) {
	copy(packet, []byte{0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0})
	copy(packet[12:], syn[16:20])
	copy(packet[16:], syn[12:16])
	ones(packet[:20], 10, true)
	tcp := packet[20:]
	copy(tcp, syn[22:24])
	copy(tcp[2:], syn[20:22])
	copy(tcp[8:], syn[24:28])
	for i := 11; i >= 8; i-- { // + 1, for the SYN
		tcp[i]++
		if tcp[i] != 0 {
			break
		}
	}
	tcp[12], tcp[13] = 5<<4, 0x14
	pseudo := append(append([]byte{}, packet[12:20]...), 0, 6, 0, 20, 0, 0)
	ones(pseudo, 12, false)
	copy(tcp[16:], pseudo[12:14])
}

// ones puts the one's complement sum of b, or its complement, at an offset.
func ones(b []byte, at int, complement bool) {
	sum := 0
	for i := 0; i < len(b); i += 2 {
		sum += int(b[i])<<8 | int(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if complement {
		sum ^= 0xffff
	}
	b[at], b[at+1] = byte(sum>>8), byte(sum)
}
