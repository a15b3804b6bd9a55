package instance

import (
	"bytes"
	"os"
)

// lineFile is a file of lines. When a write fails half-way, as on a full disk,
// the file is cut behind its last whole line. Not safe for concurrent use.
type lineFile struct {
	file        *os.File
	size, whole int64 // bytes written; of those, up to the end of a line
}

func (f *lineFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		f.whole = f.size + int64(i) + 1
	}
	f.size += int64(n)
	if err != nil {
		_ = f.file.Truncate(f.whole) // a FIFO cannot be cut
	}
	return n, err
}
