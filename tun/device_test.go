package tun

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"tcplab/internal/netns"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(stepVariable); name != "" {
		childAtStep(name)
		return
	}
	if os.Getenv(noSockets) != "" {
		if err := childWithoutSockets(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var subnet = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}

func namespace(t *testing.T) *netns.Namespace {
	t.Helper()
	n, err := netns.New("")
	if err != nil {
		t.Fatalf("these tests need root: %v", err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func create(t *testing.T, n *netns.Namespace, cfg Config) *Device {
	t.Helper()
	var d *Device
	err := n.Do(func() error {
		var err error
		d, err = Create(cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestCreateConfiguresTheInterface(t *testing.T) {
	n := namespace(t)
	d := create(t, n, Config{Name: "lab0", Host: append(subnet, netip.MustParsePrefix("2001:db8:77::1/64")), MTU: 1400})
	err := n.Do(func() error {
		link, err := netlink.LinkByName("lab0")
		if err != nil {
			return err
		}
		if a := link.Attrs(); a.MTU != 1400 || a.TxQLen != 10000 || a.Flags&1 == 0 {
			t.Errorf("MTU %d, queue length %d, flags %v: want 1400, 10000, up", a.MTU, a.TxQLen, a.Flags)
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		have := ""
		for _, a := range addrs {
			have += a.IPNet.String() + " "
		}
		if !strings.Contains(have, "192.0.2.1/24") || !strings.Contains(have, "2001:db8:77::1/64") {
			t.Errorf("addresses %s", have)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.Name() != "lab0" || d.MTU() != 1400 {
		t.Errorf("device says %s, MTU %d", d.Name(), d.MTU())
	}
}

// What the host sends is read whole; what is written reaches the host.
func TestPacketsPass(t *testing.T) {
	n := namespace(t)
	d := create(t, n, Config{Name: "lab0", Host: subnet})
	ping := exec.Command("ping", "-c", "1", "-W", "10", "192.0.2.2")
	if err := n.Start(ping); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	for {
		size, err := d.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		packet := buf[:size]
		if packet[0]>>4 != 4 || packet[9] != 1 {
			continue
		}
		// The echo reply: addresses exchanged, type 0; neither changes the sums
		// but for the type.
		for i := range 4 {
			packet[12+i], packet[16+i] = packet[16+i], packet[12+i]
		}
		packet[20] = 0
		sum := uint32(packet[22])<<8 + uint32(packet[23]) + 0x0800
		sum = sum>>16 + sum&0xffff
		packet[22], packet[23] = byte(sum>>8), byte(sum)
		if _, err := d.Write(packet); err != nil {
			t.Fatal(err)
		}
		break
	}
	if err := ping.Wait(); err != nil {
		t.Errorf("ping got no answer: %v", err)
	}
	stats, err := d.Stats()
	if err != nil || stats.TxPackets == 0 || stats.RxPackets == 0 {
		t.Errorf("counters %+v, %v: want packets in both directions", stats, err)
	}
}

func TestCloseEndsReadAndRemovesTheInterface(t *testing.T) {
	n := namespace(t)
	for i := range 50 {
		var d *Device
		if err := n.Do(func() (err error) { d, err = Create(Config{Name: "lab0", Host: subnet, Offload: i%2 == 0}); return }); err != nil {
			t.Fatal(err)
		}
		read := make(chan error, 1)
		go func() {
			buf := make([]byte, 2000)
			for {
				if _, err := d.Read(buf); err != nil {
					read <- err
					return
				}
			}
		}()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		select {
		case err := <-read:
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("read ended with %v, want os.ErrClosed", err)
			}
		case <-ctx.Done():
			t.Fatal("Close does not end a blocked Read")
		}
		cancel()
		if err := d.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
	if err := n.Do(func() error { _, err := netlink.LinkByName("lab0"); return err }); err == nil {
		t.Error("the interface is still there")
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	n := namespace(t)
	create(t, n, Config{Name: "lab0", Host: subnet})
	for _, test := range []struct {
		name string
		cfg  Config
		is   error
		say  string
	}{
		{"name taken", Config{Name: "lab0", Host: []netip.Prefix{netip.MustParsePrefix("198.51.100.1/24")}}, ErrExists, "--dev"},
		{"subnet routed", Config{Name: "lab1", Host: []netip.Prefix{netip.MustParsePrefix("192.0.2.129/25")}}, ErrRouted, "lab0"},
		{"long name", Config{Name: "sixteen-bytes-xx", Host: subnet}, nil, "at most 15"},
		{"no name", Config{Host: subnet}, nil, "name"},
		{"slash", Config{Name: "a/b", Host: subnet}, nil, "slash"},
		{"no address", Config{Name: "lab1"}, nil, "address"},
		{"MTU", Config{Name: "lab1", Host: subnet, MTU: 100}, nil, "576"},
		{"IPv6 MTU", Config{Name: "lab1", Host: []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64")}, MTU: 1000}, nil, "1280"},
	} {
		err := n.Do(func() error {
			d, err := Create(test.cfg)
			if d != nil {
				d.Close()
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), test.say) || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: error %v: want one that is %v and says %q", test.name, err, test.is, test.say)
		}
	}
	_ = n.Do(func() error {
		links, err := netlink.LinkList()
		if err != nil || len(links) != 2 {
			t.Errorf("interfaces %v, %v: want lo and lab0, nothing left of the failures", links, err)
		}
		return nil
	})
}

// An address that the kernel refuses after the interface was made: it is
// removed again.
func TestErrorHalfWayUndoesEverything(t *testing.T) {
	n := namespace(t)
	twice := slices.Concat(subnet, subnet)
	err := n.Do(func() error { _, err := Create(Config{Name: "lab0", Host: twice}); return err })
	var tunErr *Error
	if !errors.As(err, &tunErr) || tunErr.Name != "lab0" {
		t.Fatalf("the same address twice: %v, want a *tun.Error", err)
	}
	if err := n.Do(func() error { _, err := netlink.LinkByName("lab0"); return err }); err == nil {
		t.Error("the interface is still there")
	}
}

func TestPreflight(t *testing.T) {
	n := namespace(t)
	_ = n.Do(func() error {
		if problems := Preflight(Config{Name: "lab0", Host: subnet}); len(problems) != 0 {
			t.Errorf("problems on a machine where everything is there: %v", problems)
		}
		return nil
	})
	create(t, n, Config{Name: "lab0", Host: subnet})
	_ = n.Do(func() error {
		problems := Preflight(Config{Name: "lab0", Host: subnet})
		if len(problems) != 2 {
			t.Errorf("problems %v: want the name and the address", problems)
		}
		return nil
	})
}

// A program that was started while the interface existed does not keep it.
func TestChildrenDoNotInheritTheInterface(t *testing.T) {
	n := namespace(t)
	d := create(t, n, Config{Name: "lab0", Host: subnet})
	child := exec.Command("sleep", "60")
	if err := n.Start(child); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	}()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
