package app

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// What a connection may be able to tell, so that nothing is kept for it while it
// waits: thousands of connections that each keep 32 kB to copy with would take
// more than all their buffers.
type (
	// roomer waits until something can be written, and says how much.
	roomer interface{ Room() (int, error) }
	// bufferer says how much can be read without waiting.
	bufferer interface{ Buffered() int }
)

// copyBuffers are what bytes are copied with, for as long as that does not wait.
var copyBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}

const (
	largeBuffer = 32 << 10
	smallBuffer = 512 // what is kept for a copy that waits for its connection's bytes
)

// copyStream copies src to dst until its end, as io.Copy does. conn is the
// connection that src reads from, to what dst writes to, or both.
func copyStream(dst io.Writer, src io.Reader, conn any) (copied int64, err error) {
	var small [smallBuffer]byte
	for {
		n, readErr := src.Read(small[:])
		if n > 0 {
			copied += int64(n)
			if _, err := dst.Write(small[:n]); err != nil {
				return copied, err
			}
		}
		if readErr == nil {
			var more int64
			more, readErr = copyBuffered(dst, src, conn)
			copied += more
		}
		if errors.Is(readErr, io.EOF) {
			return copied, nil
		}
		if readErr != nil {
			return copied, readErr
		}
	}
}

// copyBuffered copies what src has at hand, as far as dst has room.
func copyBuffered(dst io.Writer, src io.Reader, conn any) (copied int64, err error) {
	from, ok := conn.(bufferer)
	if !ok {
		return 0, nil
	}
	for from.Buffered() > 0 {
		most, err := roomOf(dst)
		if err != nil {
			return copied, err
		}
		n, err := copyPiece(dst, src, most)
		copied += int64(n)
		if err != nil {
			return copied, err
		}
	}
	return copied, nil
}

// copyPiece copies what one read returns, at most this many bytes.
func copyPiece(dst io.Writer, src io.Reader, most int) (n int, err error) {
	buf := copyBuffers.Get().(*[largeBuffer]byte)
	defer copyBuffers.Put(buf)
	n, err = src.Read(buf[:min(most, len(buf))])
	if n > 0 {
		if _, failed := dst.Write(buf[:n]); failed != nil {
			return n, failed
		}
	}
	return n, err
}

// roomOf waits until something can be written to dst, if dst can tell.
func roomOf(dst any) (int, error) {
	if r, ok := dst.(roomer); ok {
		return r.Room()
	}
	return largeBuffer, nil
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn is a context with a request's connection, for http.Server.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// body is a response whose content is copied only as far as the client's
// connection has room.
type body struct {
	http.ResponseWriter
	conn any
}

// ReadFrom implements io.ReaderFrom, which http.ServeContent looks for.
func (b body) ReadFrom(src io.Reader) (copied int64, err error) {
	// What net/http's buffers keep back would take the room of what comes next, and
	// that would wait.
	flush := func() error { return nil }
	if _, ok := b.conn.(roomer); ok {
		flush = http.NewResponseController(b.ResponseWriter).Flush
	}
	for {
		if err := flush(); err != nil {
			return copied, err
		}
		most, err := roomOf(b.conn)
		if err != nil {
			return copied, err
		}
		n, err := copyPiece(b.ResponseWriter, src, most)
		copied += int64(n)
		if errors.Is(err, io.EOF) {
			return copied, nil
		}
		if err != nil {
			return copied, err
		}
	}
}
