package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxBytes is the most that /bytes/N serves: nobody waits for more.
const maxBytes = 1 << 40

// serveBytes serves as many bytes as the path says, ranges and HEAD included.
func serveBytes(rw http.ResponseWriter, r *http.Request) {
	size, err := parseSize(r.PathValue("n"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	answer := body{rw, r.Context().Value(connKey{})}
	if r.Method == http.MethodGet && !conditional(r.Header) {
		// As ServeContent would, with a few kilobytes of stack less while it waits.
		rw.Header().Set("Accept-Ranges", "bytes")
		rw.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		_, _ = answer.ReadFrom(&content{size: size}) // a client that left gets no more
		return
	}
	http.ServeContent(answer, r, "", time.Time{}, &content{size: size})
}

// conditional reports whether a request wants a part, or asks for a condition.
func conditional(h http.Header) bool {
	return h.Get("Range") != "" || h.Get("If-Match") != "" || h.Get("If-None-Match") != ""
}

// parseSize reads a number of bytes with or without a unit.
func parseSize(text string) (int64, error) {
	number, shift := text, 0
	for i, unit := range []string{"k", "m", "g"} {
		if n := len(text) - 1; n > 0 && strings.EqualFold(text[n:], unit) {
			number, shift = text[:n], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n > maxBytes>>shift {
		return 0, fmt.Errorf("%q is no number of bytes: give 0 to %d, or up to %dG", text, int64(maxBytes), maxBytes>>30)
	}
	return int64(n) << shift, nil
}

// lineLength is that of content's lines: 15 digits and the line's end.
const lineLength = 16

// content is what /bytes/N serves: lines that say, in hexadecimal, at which
// offset they stand. A piece that is lost, doubled or misplaced shows.
type content struct {
	size, offset int64
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if c.offset >= c.size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), c.size-c.offset)]
	line := lineAt(c.offset)
	n := copy(p, line[c.offset%lineLength:])
	for n < len(p) {
		line.next()
		n += copy(p[n:], line[:])
	}
	c.offset += int64(n)
	return n, nil
}

// Seek implements io.Seeker, by which http.ServeContent learns the size.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.offset
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("app: seeking before the start")
	}
	c.offset = offset
	return offset, nil
}

// contentLine is a line of content.
type contentLine [lineLength]byte

// lineAt is the line that offset falls in.
func lineAt(offset int64) (line contentLine) {
	copy(line[:], fmt.Sprintf("%0*x\n", lineLength-1, offset-offset%lineLength))
	return line
}

// next makes the line the one after it, by adding to the digits themselves:
// formatting each would be slower than the network.
func (l *contentLine) next() {
	for i := lineLength - 3; i >= 0; i-- { // the last digit is always 0
		switch l[i] {
		case '9':
			l[i] = 'a'
			return
		case 'f':
			l[i] = '0' // and carry
		default:
			l[i]++
			return
		}
	}
}
