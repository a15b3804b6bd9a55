package rtnetlink

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"tcplab/internal/netns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// namespace is a network namespace and a Conn in it; the test stays outside.
func namespace(t *testing.T) (*netns.Namespace, *Conn) {
	t.Helper()
	n, err := netns.New("")
	if err != nil {
		t.Fatalf("these tests need root: %v", err)
	}
	t.Cleanup(func() { n.Close() })
	var c *Conn
	if err := n.Do(func() (err error) { c, err = Open(); return }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return n, c
}

// persistent makes an interface that goes with its namespace.
func persistent(name string, addrs ...string) error {
	link := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: netlink.TUNTAP_MODE_TUN}
	err := netlink.LinkAdd(link)
	if err == nil {
		err = errors.Join(netlink.LinkSetMTU(link, 1400), netlink.LinkSetTxQLen(link, 7))
	}
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		parsed, err := netlink.ParseAddr(addr)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, parsed); err != nil {
			return err
		}
	}
	return netlink.LinkSetUp(link)
}

// addrsOf are the addresses of one interface.
func addrsOf(c *Conn, index int) (addrs []netip.Prefix, err error) {
	all, err := c.Addrs()
	for _, addr := range all {
		if addr.Index == index {
			addrs = append(addrs, addr.Prefix)
		}
	}
	return addrs, err
}

// The questions are asked from a thread that is in another namespace.
func TestLinksAndAddresses(t *testing.T) {
	n, c := namespace(t)
	if err := n.Do(func() error {
		return errors.Join(persistent("lab0", "192.0.2.1/24", "2001:db8::1/64"), persistent("lab1", "198.51.100.1/24"))
	}); err != nil {
		t.Fatal(err)
	}
	link, err := c.LinkByName("lab0")
	if err != nil {
		t.Fatal(err)
	}
	if link.Name != "lab0" || link.MTU != 1400 || link.TxQLen != 7 || link.Statistics == nil || link.RawFlags&unix.IFF_UP == 0 {
		t.Errorf("lab0 is %+v", link)
	}
	if again, err := c.LinkByIndex(link.Index); err != nil || again.Name != "lab0" {
		t.Errorf("by its number: %+v, %v", again, err)
	}
	addrs, err := addrsOf(c, link.Index)
	if err != nil {
		t.Fatal(err)
	}
	addrs = slices.DeleteFunc(addrs, func(p netip.Prefix) bool { return p.Addr().IsLinkLocalUnicast() })
	if want := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")}; !slices.Equal(addrs, want) {
		t.Errorf("addresses %v, want %v", addrs, want)
	}
	if _, err := c.LinkByName("none"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("an interface that is not there: %v", err)
	}
	if _, err := c.LinkByIndex(link.Index + 1000); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a number that none has: %v", err)
	}
	if addrs, err := addrsOf(c, link.Index+1000); len(addrs) != 0 || err != nil && !errors.Is(err, unix.ENODEV) {
		t.Errorf("its addresses: %v, %v", addrs, err)
	}
}

// Many ask at once while the lists change: each gets the answer to its own
// question, whole.
func TestConcurrentQuestions(t *testing.T) {
	n, c := namespace(t)
	const names = 4
	if err := n.Do(func() error {
		for i := range names {
			if err := persistent(fmt.Sprintf("lab%d", i), fmt.Sprintf("192.0.%d.1/24", i)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var changing, asking sync.WaitGroup
	changing.Go(func() {
		err := n.Do(func() error {
			link, err := netlink.LinkByName("lo")
			for i := 0; err == nil; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				addr, _ := netlink.ParseAddr(fmt.Sprintf("10.0.0.%d/32", i%200+1))
				err = errors.Join(netlink.AddrAdd(link, addr), netlink.AddrDel(link, addr))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	for i := range names {
		asking.Go(func() {
			for range 200 {
				link, err := c.LinkByName(fmt.Sprintf("lab%d", i))
				if err != nil || link.Name != fmt.Sprintf("lab%d", i) {
					t.Errorf("lab%d: %+v, %v", i, link, err)
					return
				}
				addrs, err := addrsOf(c, link.Index)
				if errors.Is(err, errInterrupted) {
					continue // said, not half an answer
				}
				if want := netip.MustParsePrefix(fmt.Sprintf("192.0.%d.1/24", i)); err != nil || !slices.Contains(addrs, want) {
					t.Errorf("lab%d: addresses %v, %v", i, addrs, err)
					return
				}
			}
		})
	}
	asking.Wait()
	close(stop)
	changing.Wait()
}

func TestAfterClose(t *testing.T) {
	_, c := namespace(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LinkByName("lo"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a question after Close: %v", err)
	}
}

// An answer says when it is of two moments, and what the kernel refused; a
// message that is too short is no fault.
func TestAnswer(t *testing.T) {
	header := func(kind, flags uint16) syscall.NlMsghdr { return syscall.NlMsghdr{Type: kind, Flags: flags} }
	var a answer
	part := syscall.NetlinkMessage{Header: header(unix.RTM_NEWADDR, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR), Data: []byte{1}}
	if err := a.add(&part); err != nil || !a.interrupted || a.whole {
		t.Errorf("a part of an interrupted dump: %+v, %v", a, err)
	}
	part.Data[0] = 2 // as the next read does
	done := syscall.NetlinkMessage{Header: header(unix.NLMSG_DONE, unix.NLM_F_MULTI)}
	if err := a.add(&done); err != nil || !a.whole || len(a.parts) != 1 || a.parts[0][0] != 1 {
		t.Errorf("its end: %+v, %v", a, err)
	}
	a = answer{}
	refused := syscall.NetlinkMessage{Header: header(unix.NLMSG_ERROR, 0), Data: []byte{0xed, 0xff, 0xff, 0xff}} // -19
	if err := a.add(&refused); !errors.Is(err, unix.ENODEV) || !a.whole {
		t.Errorf("a refusal: %+v, %v", a, err)
	}
	for _, data := range [][]byte{nil, {0, 0, 0, 0}} {
		a = answer{}
		if err := a.add(&syscall.NetlinkMessage{Header: header(unix.NLMSG_ERROR, 0), Data: data}); err != nil || !a.whole {
			t.Errorf("an end of %d bytes: %+v, %v", len(data), a, err)
		}
	}
}
