package capture

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"tcplab/internal/trace"
)

// Totals are what became of the packets of a capture.
type Totals struct {
	Packets uint64 // written
	Lost    uint64 // missing among them, as whoever read them was too slow
}

// String is the totals in words, as tcpdump has them.
func (t Totals) String() string {
	return fmt.Sprintf("%d packets captured, %d lost", t.Packets, t.Lost)
}

// Encoder makes the blocks of a pcapng section.
type Encoder struct {
	Totals
	started time.Time
	out     block
	ng      *pcapgo.NgWriter
	header  []byte
}

// blockSize is enough for any packet with its comments in most cases.
const blockSize = 128 << 10

// NewEncoder begins a section.
func NewEncoder(info Info) (*Encoder, error) {
	e := &Encoder{started: time.Now()}
	var err error
	// NgWriter uses a bufio.Writer that it is given as its own.
	e.ng, err = pcapgo.NewNgWriterInterface(bufio.NewWriterSize(&e.out, blockSize), info.ngInterface(), info.ngOptions())
	if err != nil {
		return nil, err
	}
	header, err := e.take()
	e.header = bytes.Clone(header)
	return e, err
}

// take is what NgWriter has written since the last time. It is valid until
// NgWriter writes again.
func (e *Encoder) take() ([]byte, error) {
	e.out.last = true
	err := e.ng.Flush()
	taken := e.out.bytes
	e.out = block{}
	return taken, err
}

// block takes what a bufio.Writer writes, and copies it only if that is more
// than one buffer.
type block struct {
	bytes []byte
	last  bool // nothing follows what is written now
}

// Write implements io.Writer.
func (b *block) Write(p []byte) (int, error) {
	if b.last && b.bytes == nil {
		b.bytes = p
	} else {
		b.bytes = append(b.bytes, p...)
	}
	return len(p), nil
}

// Header is the section's header and the description of its interface: what
// each file begins with.
func (e *Encoder) Header() []byte { return e.header }

// Packet is the block of a packet. It is valid until the next call.
func (e *Encoder) Packet(p *trace.Packet) ([]byte, error) {
	e.Packets++
	e.Lost += p.Lost
	options := pcapgo.NgPacketOptions{
		Comments: comments(p),
		Flags:    &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound},
	}
	if p.Inbound {
		options.Flags.Direction = pcapgo.NgEpbFlagDirectionInbound
	}
	if p.Lost > 0 {
		options.DropCount = &p.Lost
	}
	err := e.ng.WritePacketWithOptions(gopacket.CaptureInfo{
		Timestamp: p.Time, CaptureLength: len(p.Data), Length: p.Length,
	}, p.Data, options)
	if err != nil {
		return nil, err
	}
	return e.take()
}

// WriteSection writes a whole section of packets that are there already.
func (e *Encoder) WriteSection(w io.Writer, packets []trace.Packet) error {
	if _, err := w.Write(e.Header()); err != nil {
		return err
	}
	for i := range packets {
		block, err := e.Packet(&packets[i])
		if err != nil {
			return err
		}
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	_, err := w.Write(e.End())
	return err
}

// End is the block that ends the section, with the totals.
func (e *Encoder) End() []byte { return statistics(e.Totals, e.started) }

// statistics is an Interface Statistics Block.
func statistics(t Totals, started time.Time) []byte {
	var blocks bytes.Buffer
	ng, err := pcapgo.NewNgWriterInterface(&blocks, pcapgo.NgInterface{}, pcapgo.NgWriterOptions{})
	if err == nil {
		err = ng.Flush()
	}
	blocks.Reset() // the header: the block alone is wanted
	if err == nil {
		now := time.Now()
		err = ng.WriteInterfaceStats(0, pcapgo.NgInterfaceStatistics{
			LastUpdate: now, StartTime: started, EndTime: now,
			PacketsReceived: t.Packets + t.Lost, PacketsDropped: t.Lost,
		})
	}
	if err == nil {
		err = ng.Flush()
	}
	if err != nil {
		return nil // memory takes it always
	}
	return blocks.Bytes()
}
