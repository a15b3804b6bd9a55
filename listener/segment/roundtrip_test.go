package segment_test

import (
	"bytes"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"

	"tcplab/listener/segment"
)

func TestParseReadsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes before")

		appended := segment.AppendRequest(bytes.Clone(prefix), &s)
		if !bytes.HasPrefix(appended, prefix) {
			t.Fatalf("the bytes before the packet changed: % x", appended)
		}
		var request, reply segment.Segment
		if err := segment.Parse(appended[len(prefix):], &request); err != nil {
			t.Fatalf("request: %v", err)
		}
		equal(t, &request, &s, s.Tuple)

		if err := segment.Parse(segment.AppendReply(nil, &s), &reply); err != nil {
			t.Fatalf("reply: %v", err)
		}
		equal(t, &reply, &s, s.Tuple.Reverse())
	})
}

// equal compares what was parsed with what was written for tuple.
func equal(t rapid.TB, got, want *segment.Segment, tuple segment.Tuple) {
	t.Helper()
	switch {
	case got.Tuple != tuple:
		t.Fatalf("tuple %v, want %v", got.Tuple, tuple)
	case got.Seq != want.Seq || got.Ack != want.Ack || got.Flags != want.Flags || got.Window != want.Window:
		t.Fatalf("parsed %v, want %v", got, want)
	case got.Options != want.Options:
		t.Fatalf("options%v, want%v", got.Options, want.Options)
	case !bytes.Equal(got.Payload, want.Payload):
		t.Fatalf("payload % x, want % x", got.Payload, want.Payload)
	}
}

// An independent decoder agrees with everything that we write, checksums
// included.
func TestGopacketReadsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSegment(t)
		packet := decode(segment.AppendReply(nil, &s))
		if failure := packet.ErrorLayer(); failure != nil {
			t.Fatalf("gopacket: %v", failure.Error())
		}
		tcp := packet.TransportLayer().(*layers.TCP)
		if err := tcp.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
			t.Fatal(err)
		}
		if err, wrong := packet.VerifyChecksums(); err != nil || len(wrong) > 0 {
			t.Fatalf("checksums: %v %v", err, wrong)
		}
		from, to := packet.NetworkLayer().NetworkFlow().Endpoints()
		server, client := s.Tuple.Server(), s.Tuple.Client()
		switch {
		case !bytes.Equal(from.Raw(), server.Addr().AsSlice()) || !bytes.Equal(to.Raw(), client.Addr().AsSlice()):
			t.Fatalf("gopacket reads %v > %v, want %v > %v", from, to, server, client)
		case uint16(tcp.SrcPort) != server.Port() || uint16(tcp.DstPort) != client.Port():
			t.Fatalf("gopacket reads ports %v > %v, want %v > %v", tcp.SrcPort, tcp.DstPort, server, client)
		case tcp.Seq != s.Seq || tcp.Ack != s.Ack || tcp.Window != s.Window || flagsOf(tcp) != s.Flags:
			t.Fatalf("gopacket reads %+v, want %v", tcp, &s)
		case !bytes.Equal(tcp.Payload, s.Payload):
			t.Fatalf("gopacket reads payload % x, want % x", tcp.Payload, s.Payload)
		}
		if got := optionsOf(tcp); got != s.Options {
			t.Fatalf("gopacket reads options%v, want%v", got, s.Options)
		}
	})
}

// decode has gopacket read an IP packet.
func decode(packet []byte) gopacket.Packet {
	first := layers.LayerTypeIPv6
	if packet[0]>>4 == 4 {
		first = layers.LayerTypeIPv4
	}
	return gopacket.NewPacket(packet, first, gopacket.DecodeOptions{NoCopy: true})
}

// flagsOf are the control bits that gopacket read.
func flagsOf(tcp *layers.TCP) segment.Flags {
	var flags segment.Flags
	for i, set := range []bool{tcp.FIN, tcp.SYN, tcp.RST, tcp.PSH, tcp.ACK, tcp.URG, tcp.ECE, tcp.CWR} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

// RFC 791 section 3.1, RFC 8200 section 3: what stands in the IP header beside
// addresses and lengths.
func TestIPHeaderFields(t *testing.T) {
	s := example(tuples["IPv4"])
	ip4 := decode(segment.AppendReply(nil, &s)).NetworkLayer().(*layers.IPv4)
	if ip4.TTL != 64 || ip4.Flags != layers.IPv4DontFragment || ip4.Id != 0 || ip4.TOS != 0 || ip4.FragOffset != 0 {
		t.Errorf("IPv4 header %+v: want TTL 64, DF, identification 0 (RFC 6864 section 4.1)", ip4)
	}
	s = example(tuples["IPv6"])
	ip6 := decode(segment.AppendReply(nil, &s)).NetworkLayer().(*layers.IPv6)
	if ip6.HopLimit != 64 || ip6.TrafficClass != 0 || ip6.FlowLabel != 0 {
		t.Errorf("IPv6 header %+v: want hop limit 64", ip6)
	}
}
