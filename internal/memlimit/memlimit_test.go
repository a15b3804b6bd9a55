package memlimit

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		limit       int64
		bound, want int
	}{
		{0, 1 << 16, 1 << 16},
		{8 << 30, 1 << 16, 1 << 16},
		{1 << 30, 1 << 16, 1 << 16},
		{64 << 20, 1 << 16, 1 << 12},
		{1, 1 << 16, 1},
	} {
		if got := share(c.limit, c.bound); got != c.want {
			t.Errorf("share(%d, %d) is %d, want %d", c.limit, c.bound, got, c.want)
		}
	}
}

func TestSmallest(t *testing.T) {
	for _, c := range []struct {
		limits []int64
		want   int64
	}{
		{[]int64{math.MaxInt64, 0, 8 << 30}, 8 << 30},
		{[]int64{math.MaxInt64, 64 << 20, 8 << 30}, 64 << 20},
		{[]int64{32 << 20, 64 << 20, 8 << 30}, 32 << 20},
		{[]int64{math.MaxInt64, 0, 0}, 0},
	} {
		if got := smallest(c.limits...); got != c.want {
			t.Errorf("of %v: %d, want %d", c.limits, got, c.want)
		}
	}
}

func TestGOGC(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 100}, {64 << 20, 100}, {128 << 20, 50}, {1 << 40, 15}} {
		if got := gogc(c.live); got != c.want {
			t.Errorf("%d live bytes: GOGC %d, want %d", c.live, got, c.want)
		}
	}
}

// groups makes the files of control groups.
func groups(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Of both versions of control groups, and of groups within groups, the smallest
// limit counts.
func TestLimitOf(t *testing.T) {
	const unlimited = "9223372036854771712\n"
	for _, c := range []struct {
		name  string
		own   string
		files map[string]string
		want  int64
		ok    bool
	}{
		{"version 2", "0::/a/b\n", map[string]string{"cgroup2/a/b/memory.max": "67108864\n", "cgroup2/a/memory.max": "max\n"}, 64 << 20, true},
		{"version 2, in the group above", "0::/a/b\n", map[string]string{"cgroup2/a/b/memory.max": "max\n", "cgroup2/a/memory.max": "33554432\n"}, 32 << 20, true},
		{"version 2, none", "0::/a\n", map[string]string{"cgroup2/a/memory.max": "max\n"}, 0, true},
		{"version 1", "4:cpu:/x\n3:memory:/a\n0::/\n", map[string]string{
			"cgroup/a/memory.limit_in_bytes": "67108864\n", "cgroup/memory.limit_in_bytes": unlimited}, 64 << 20, true},
		{"version 1, none", "3:memory:/a\n", map[string]string{"cgroup/a/memory.limit_in_bytes": unlimited}, 0, true},
		{"not there", "0::/a\n", nil, 0, false},
	} {
		root := groups(t, c.files)
		limit, ok := limitOf(c.own, func(kind string, _ ...string) (string, func() error, error) {
			return filepath.Join(root, kind), func() error { return nil }, nil
		})
		if limit != c.want || ok != c.ok {
			t.Errorf("%s: %d, %v, want %d, %v", c.name, limit, ok, c.want, c.ok)
		}
	}
}
