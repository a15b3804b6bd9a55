package tunfault_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"tcplab/listener/segment"
	"tcplab/tun/offload"
	"tcplab/tun/tunfault"
	"tcplab/tun/tuntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPerfectLine(t *testing.T) {
	inner := tuntest.New(1500)
	d, err := tunfault.Wrap(inner, tunfault.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	for i := range byte(100) {
		if err := inner.Inject([]byte{i, i}); err != nil {
			t.Fatal(err)
		}
		n, err := d.Read(buf)
		if err != nil || !bytes.Equal(buf[:n], []byte{i, i}) {
			t.Fatalf("read %x, %v", buf[:n], err)
		}
		if _, err := d.Write([]byte{i}); err != nil {
			t.Fatal(err)
		}
		if got, err := inner.Sent(t.Context()); err != nil || got[0] != i {
			t.Fatalf("sent %x, %v", got, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(buf); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// The same seed and packets give the same faults, whatever they are; each is
// counted; a packet is never longer, and differs in one bit at most.
func TestFaultsFollowTheSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0, 1)
		cfg := tunfault.Config{
			Seed: rapid.Uint64().Draw(t, "seed"),
			Loss: rate.Draw(t, "loss"), Duplicate: rate.Draw(t, "duplicate"), Reorder: rate.Draw(t, "reorder"),
			Corrupt: rate.Draw(t, "corrupt"), Truncate: rate.Draw(t, "truncate"),
		}
		a, b := tunfault.NewFaults(cfg, 1), tunfault.NewFaults(cfg, 1)
		var delivered, bent uint64
		packets := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 64), 1, 100).Draw(t, "packets")
		for _, packet := range packets {
			got, again := a.Next(nil, packet), b.Next(nil, packet)
			if !slices.EqualFunc(got, again, func(x, y tunfault.Delivery) bool {
				return x.After == y.After && bytes.Equal(x.Packet, y.Packet)
			}) {
				t.Fatalf("%v and %v from the same seed", got, again)
			}
			for _, d := range got {
				delivered++
				wrong := 0
				for i := range d.Packet {
					for diff := d.Packet[i] ^ packet[i]; diff != 0; diff &= diff - 1 {
						wrong++
					}
				}
				if wrong > 1 || d.After < 0 || d.After > 5*time.Millisecond {
					t.Fatalf("%d bits wrong, after %v", wrong, d.After)
				}
				bent += uint64(wrong)
			}
		}
		c := a.Counts()
		if c.Packets != uint64(len(packets)) || delivered != c.Packets-c.Lost+c.Duplicated || bent > c.Corrupted {
			t.Fatalf("counts %+v, %d delivered, %d corrupted", c, delivered, bent)
		}
	})
}

// With offload, what is not damaged arrives as it was, with what was said about
// it; what is damaged has a checksum that is complete and wrong, and nothing is
// said about it.
func TestDamageShowsUnderOffload(t *testing.T) {
	inner := tuntest.NewOffload(1500)
	d, err := tunfault.Wrap(inner, tunfault.Config{Seed: 3, Corrupt: 0.3, Truncate: 0.3})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tuple := segment.NewTuple(netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.2:80"))
	whole := segment.AppendRequest(nil, &segment.Segment{Tuple: tuple, Flags: segment.ACK, Payload: make([]byte, 4000)})
	partial := bytes.Clone(whole)
	const start, at = 20, 36
	// The sum of the pseudo header is the whole one's without the segment's.
	ip, err := segment.ParseIP(partial)
	if err != nil {
		t.Fatal(err)
	}
	partial[at], partial[at+1] = 0, 0
	pseudo := uint32(^binary.BigEndian.Uint16(whole[at:])) + uint32(segment.ChecksumOf(ip.Payload()))
	binary.BigEndian.PutUint16(partial[at:], uint16(pseudo>>16+pseudo))
	h := offload.Header{
		Flags: offload.NeedsChecksum, GSOType: offload.GSOTCPv4, GSOSize: 1460, HeaderLen: 40, ChecksumStart: start, ChecksumOffset: 16,
	}
	check := func(direction string, got offload.Header, packet []byte) (damaged bool) {
		t.Helper()
		if got == h {
			if !bytes.Equal(packet, partial) && !bytes.Equal(packet, whole) { // Sent completes it
				t.Errorf("%s: %d bytes that are not those sent, with %+v", direction, len(packet), got)
			}
			return false
		}
		var s segment.Segment
		if err := segment.Parse(packet, &s); got != (offload.Header{}) || err == nil {
			t.Errorf("%s: damaged, yet it comes with %+v and parses", direction, got)
		}
		return true
	}
	buf := make([]byte, 1<<16)
	damaged := map[string]int{}
	for range 200 {
		if err := inner.InjectOffload(h, partial); err != nil {
			t.Fatal(err)
		}
		got, packet, err := d.ReadOffload(buf)
		if err != nil {
			t.Fatal(err)
		}
		if check("in", got, packet) {
			damaged["in"]++
		}
		if err := d.WriteOffload(h, append(make([]byte, offload.Size), partial...)); err != nil {
			t.Fatal(err)
		}
		if got, packet, err = inner.SentOffload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if check("out", got, packet) {
			damaged["out"]++
		}
	}
	if damaged["in"] < 50 || damaged["out"] < 50 || damaged["in"] > 150 {
		t.Errorf("damaged: %v of 200", damaged)
	}
}

// Closing does not wait for packets that are under way, and leaves none.
func TestCloseWithPacketsUnderWay(t *testing.T) {
	inner := tuntest.New(1500)
	d, err := tunfault.Wrap(inner, tunfault.Config{Reorder: 1, Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, _ = d.Write([]byte{1})
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if packet, ok := inner.TrySent(); ok {
		t.Errorf("%x came through at Close", packet)
	}
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []tunfault.Config{{Loss: -0.1}, {Corrupt: 1.5}, {Delay: -1}} {
		if _, err := tunfault.Wrap(tuntest.New(1500), cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
