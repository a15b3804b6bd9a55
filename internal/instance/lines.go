package instance

import "tcplab/internal/outfile"

// lines is a file as events.Writer: each write is a line.
type lines struct{ *outfile.File }

func (l lines) Write(line []byte) (int, error) {
	if err := l.Put(line); err != nil {
		return 0, err
	}
	return len(line), nil
}
