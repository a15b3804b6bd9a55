package offload

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestEncodeDecode(t *testing.T) {
	h := Header{Flags: NeedsChecksum, GSOType: GSOTCPv6, HeaderLen: 60, GSOSize: 1440, ChecksumStart: 40, ChecksumOffset: 16}
	var b [Size]byte
	h.Encode(b[:])
	if got := Decode(b[:]); got != h {
		t.Errorf("decoded %+v, want %+v", got, h)
	}
	if unsafe.Sizeof(h) != Size {
		t.Errorf("a header has %d bytes, want %d", unsafe.Sizeof(h), Size)
	}
}

// Our numbers are those of linux/virtio_net.h.
func TestNumbersOfTheKernel(t *testing.T) {
	for _, test := range []struct {
		name       string
		ours, want int
	}{
		{"VIRTIO_NET_HDR_F_NEEDS_CSUM", int(NeedsChecksum), unix.VIRTIO_NET_HDR_F_NEEDS_CSUM},
		{"VIRTIO_NET_HDR_F_DATA_VALID", int(ChecksumValid), unix.VIRTIO_NET_HDR_F_DATA_VALID},
		{"VIRTIO_NET_HDR_GSO_NONE", int(GSONone), unix.VIRTIO_NET_HDR_GSO_NONE},
		{"VIRTIO_NET_HDR_GSO_TCPV4", int(GSOTCPv4), unix.VIRTIO_NET_HDR_GSO_TCPV4},
		{"VIRTIO_NET_HDR_GSO_TCPV6", int(GSOTCPv6), unix.VIRTIO_NET_HDR_GSO_TCPV6},
	} {
		if test.ours != test.want {
			t.Errorf("%s is %d, want %d", test.name, test.ours, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	tcp4 := Header{Flags: NeedsChecksum, ChecksumStart: 20, ChecksumOffset: 16}
	for _, test := range []struct {
		name                             string
		change                           func(*Header)
		version, protocol, start, length int
		fits                             bool
	}{
		{"TCP", nil, 4, 6, 20, 40, true},
		{"zero", func(h *Header) { *h = Header{} }, 4, 47, 20, 20, true},
		{"valid", func(h *Header) { *h = Header{Flags: ChecksumValid} }, 4, 6, 20, 40, true},
		{"UDP", func(h *Header) { h.ChecksumOffset = 6 }, 4, 17, 20, 28, true},
		{"large", func(h *Header) { h.GSOType, h.GSOSize = GSOTCPv4, 1448 }, 4, 6, 20, 60000, true},
		{"large IPv6", func(h *Header) { h.GSOType, h.GSOSize, h.ChecksumStart = GSOTCPv6, 1428, 48 }, 6, 6, 48, 60000, true},
		{"the other version", func(h *Header) { h.GSOType, h.GSOSize = GSOTCPv6, 1448 }, 4, 6, 20, 60000, false},
		{"large without a size", func(h *Header) { h.GSOType = GSOTCPv4 }, 4, 6, 20, 60000, false},
		{"large UDP", func(h *Header) { *h = Header{GSOType: GSOTCPv4, GSOSize: 1000} }, 4, 17, 20, 60000, false},
		{"another kind", func(h *Header) { h.GSOType, h.GSOSize = 3, 1000 }, 4, 6, 20, 40, false},
		{"unknown flag", func(h *Header) { h.Flags |= 4 }, 4, 6, 20, 40, false},
		{"start elsewhere", func(h *Header) { h.ChecksumStart = 24 }, 4, 6, 20, 60, false},
		{"field elsewhere", func(h *Header) { h.ChecksumOffset = 18 }, 4, 6, 20, 40, false},
		{"beyond the end", nil, 4, 6, 20, 37, false},
		{"ICMP", nil, 4, 1, 20, 60, false},
		{"wraparound", func(h *Header) { h.ChecksumStart, h.ChecksumOffset = 65535, 65535 }, 4, 6, 20, 60, false},
	} {
		h := tcp4
		if test.change != nil {
			test.change(&h)
		}
		if err := h.Check(test.version, uint8(test.protocol), test.start, test.length); (err == nil) != test.fits {
			t.Errorf("%s: %v, want fits = %t", test.name, err, test.fits)
		}
	}
}

// What Check lets pass, nobody can index out of the packet with.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{1, 1, 40, 0, 0xa8, 5, 20, 0, 16, 0}, 4, byte(6), 20, 40)
	f.Fuzz(func(t *testing.T, b []byte, version int, protocol byte, start, length int) {
		if len(b) < Size || start < 0 || length < start || length > MaxPacket {
			return
		}
		h := Decode(b)
		var again [Size]byte
		h.Encode(again[:])
		if [Size]byte(b) != again {
			t.Errorf("%x became %x", b[:Size], again)
		}
		if h.Check(version, protocol, start, length) != nil || !h.Flags.Has(NeedsChecksum) {
			return
		}
		if end := int(h.ChecksumStart) + int(h.ChecksumOffset) + 2; end > length {
			t.Errorf("%+v passes for %d bytes", h, length)
		}
	})
}
