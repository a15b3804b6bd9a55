package tunfault_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

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
