package nstat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tcplab/internal/endpoint"
	"tcplab/internal/outfile"
)

// History is the file with the values that a user has seen last.
type History struct{ path string }

// record is what stands in the file.
type record struct {
	PID      int               `json:"pid"`
	Started  time.Time         `json:"started"`
	Counters map[string]uint64 `json:"counters"`
}

// OpenHistory is the history of the instance with this name, which is unique on
// the machine: in the user's cache directory. The file need not exist.
func OpenHistory(instance string) (*History, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("there is no place for what was shown last: %w: set XDG_CACHE_HOME, or use -a and -s", err)
	}
	return &History{path: filepath.Join(dir, "tcplab", "nstat", instance+".json")}, nil
}

// Read returns the values seen last of the same life of the instance as now;
// nothing if there are none.
func (h *History) Read(now *endpoint.Counters) (map[string]uint64, error) {
	text, err := os.ReadFile(h.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading what was shown last: %w: use -a to see absolute values", err)
	}
	var r record
	intact := json.Unmarshal(text, &r) == nil
	if intact && r.PID == now.PID && r.Started.Equal(now.Started) {
		return r.Counters, nil
	}
	return nil, nil // none yet, of another life, or damaged
}

// Write keeps values as those seen last. Two calls at the same time leave the
// values of one of them.
func (h *History) Write(now *endpoint.Counters, seen map[string]uint64) error {
	text, err := json.Marshal(record{PID: now.PID, Started: now.Started, Counters: seen})
	if err != nil {
		return err
	}
	if err := h.replace(text); err != nil {
		return fmt.Errorf("keeping what was shown for the next call: %w: use -s to keep nothing", err)
	}
	return nil
}

// replace writes the file so that nobody sees half of it.
func (h *History) replace(text []byte) error {
	dir, err := outfile.MakeOwnDir(filepath.Dir(h.path), 0o700)
	if err != nil {
		return err
	}
	return errors.Join(dir.Replace(filepath.Base(h.path), text), dir.Close())
}
