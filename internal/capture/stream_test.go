package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tcplab/internal/trace"
	"tcplab/listener/segment"
	"tcplab/tun/offload"
)

// output counts what was flushed of what was written to it.
type output struct {
	bytes.Buffer
	flushed int
	err     error
}

func (o *output) sink() *Stream {
	return NewStream(o, func() error { o.flushed = o.Len(); return o.err })
}

func send(r *trace.Recorder, port uint16) {
	r.In(segment.AppendRequest(nil, &segment.Segment{Tuple: tuple(port), Flags: segment.SYN}), offload.Header{})
	r.Handled()
}

// What has come is on its way within a second, and the end is whole.
func TestCopy(t *testing.T) {
	for _, end := range []string{"recorder", "context"} {
		synctest.Test(t, func(t *testing.T) {
			var r trace.Recorder
			var o output
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := newEncoder(t)
			s := r.Subscribe(100, 200)
			done := make(chan error)
			go func() { done <- Copy(ctx, o.sink(), s, e) }()
			synctest.Wait()
			if o.flushed != len(e.Header()) {
				t.Errorf("%d bytes of the header are flushed, want %d", o.flushed, len(e.Header()))
			}
			for n := 1; n < 10; n++ {
				send(&r, 4000)
				send(&r, 4001)
				time.Sleep(time.Second)
				synctest.Wait()
				if got := packets(t, bytes.NewReader(o.Bytes()[:o.flushed])); got != 2*n {
					t.Errorf("%d packets a second later, want %d", got, 2*n)
				}
			}
			send(&r, 4000)
			want := 19
			if end == "context" {
				synctest.Wait()
				cancel()
			} else {
				r.Close()
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if got := packets(t, &o.Buffer); got != want || e.Packets != uint64(want) {
				t.Errorf("%s: %d packets, %d counted, want %d", end, got, e.Packets, want)
			}
		})
	}
}

func TestCopyStopsWhenNobodyTakesIt(t *testing.T) {
	var r trace.Recorder
	o := output{err: errors.New("gone")}
	if err := Copy(t.Context(), o.sink(), r.Subscribe(1, 64), newEncoder(t)); !errors.Is(err, o.err) {
		t.Errorf("%v, want that nobody takes it", err)
	}
}

// capture is a stream of n packets, the first of which tells of a loss.
func captureOf(t *testing.T, n int) []byte {
	t.Helper()
	e := newEncoder(t)
	stream := slices.Clone(e.Header())
	for i := range n {
		p := packet(i)
		if i == 0 {
			p.Lost = 5
		}
		stream = append(stream, encode(t, e, p)...)
	}
	return append(stream, e.End()...)
}

func TestReceive(t *testing.T) {
	stream := captureOf(t, 20)
	var o output
	got, err := Receive(t.Context(), o.sink(), bytes.NewReader(stream), 0, nil)
	if err != nil || got != (Totals{20, 5}) || !bytes.Equal(o.Bytes(), stream) || o.flushed != o.Len() {
		t.Errorf("%v, %v; %d bytes, %d flushed, of %d", got, err, o.Len(), o.flushed, len(stream))
	}

	o = output{}
	got, err = Receive(t.Context(), o.sink(), bytes.NewReader(stream), 3, nil)
	if err != nil || got.Packets != 3 || packets(t, &o.Buffer) != 3 {
		t.Errorf("with a count of 3: %v, %v", got, err)
	}
}

// Wherever the stream is cut, what came before is a whole capture with its
// statistics.
func TestReceiveCutOff(t *testing.T) {
	stream := captureOf(t, 3)
	for cut := range stream {
		var o output
		got, err := Receive(t.Context(), o.sink(), bytes.NewReader(stream[:cut]), 0, nil)
		whole := bytes.Clone(o.Bytes())
		if n := packets(t, &o.Buffer); uint64(n) != got.Packets {
			t.Fatalf("cut at %d: %d packets, %v", cut, n, got)
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if len(whole) > 0 && binary.LittleEndian.Uint32(whole[len(whole)-4:]) != uint32(len(newEncoder(t).End())) {
			t.Fatalf("cut at %d: no statistics at the end", cut)
		}
	}
}

// Ctrl-C ends what waits for the next packet.
func TestReceiveEndsWithTheContext(t *testing.T) {
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() { read.CloseWithError(ctx.Err()) })
	stream := captureOf(t, 2)
	var o output
	var result Totals
	var err error
	var told []uint64
	var receiver sync.WaitGroup
	receiver.Go(func() {
		result, err = Receive(ctx, o.sink(), read, 0, func(n Totals) {
			if told = append(told, n.Packets); n.Packets == 2 {
				cancel()
			}
		})
	})
	_, _ = write.Write(stream[:len(stream)-len(newEncoder(t).End())])
	receiver.Wait()
	if err != nil || result.Packets != 2 || packets(t, &o.Buffer) != 2 {
		t.Errorf("%v, %v", result, err)
	}
}

// Whatever comes, the scanner ends, and its blocks are whole.
func FuzzScanner(f *testing.F) {
	e, err := NewEncoder(Info{Dev: "tcplab0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Header())
	f.Add(e.End())
	block, _ := e.Packet(packet(3))
	f.Add(bytes.Clone(block))
	p := packet(3)
	p.Lost = 1
	block, _ = e.Packet(p)
	f.Add(bytes.Clone(block))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := NewScanner(bytes.NewReader(data))
		for read := 0; ; {
			block, err := s.Next()
			if err != nil {
				return
			}
			block.lost()
			if !bytes.Equal(block, data[read:read+len(block)]) {
				t.Fatal("a block is not what was read")
			}
			read += len(block)
		}
	})
}
