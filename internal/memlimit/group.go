package memlimit

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"golang.org/x/sys/unix"
)

// fromGroup is the control group's limit; 0 if it has none.
func fromGroup() (int64, error) {
	bytes, err := memlimit.FromCgroup()
	switch {
	case err == nil && bytes < math.MaxInt64:
		return int64(bytes), nil
	case err == nil, errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup),
		errors.Is(err, memlimit.ErrCgroupsNotSupported), errors.Is(err, os.ErrNotExist):
		return 0, nil
	}
	// "ip netns exec" mounts a /sys of its own, without control groups.
	own, readErr := os.ReadFile("/proc/self/cgroup")
	if readErr == nil {
		if bytes, ok := limitOf(string(own), mount); ok {
			return bytes, nil
		}
	}
	return 0, fmt.Errorf("reading the memory limit of the control group: %w: set GOMEMLIMIT if there is one", err)
}

// mount mounts a hierarchy of control groups where nobody else sees it, until the
// process ends it. Only root may.
func mount(kind string, options ...string) (root string, unmount func() error, err error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return "", nil, err
	}
	defer unix.Close(fs)
	for _, option := range options {
		if err := unix.FsconfigSetFlag(fs, option); err != nil {
			return "", nil, err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return "", nil, err
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), func() error { return unix.Close(fd) }, nil
}

// limitOf looks for the limits of the control groups of /proc/self/cgroup, and
// returns the smallest one; 0 if there are groups and no limit. ok is false if no
// group can be seen.
func limitOf(own string, mount func(kind string, options ...string) (string, func() error, error)) (limit int64, ok bool) {
	for line := range strings.Lines(own) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		kind, file, options := "cgroup2", "memory.max", []string(nil)
		switch {
		case hierarchy == "0" && controllers == "":
		case strings.Contains(","+controllers+",", ",memory,"):
			kind, file, options = "cgroup", "memory.limit_in_bytes", strings.Split(controllers, ",")
		default:
			continue
		}
		root, unmount, err := mount(kind, options...)
		if err != nil {
			continue
		}
		limit, ok = smallestAbove(root, group, file, limit, ok)
		_ = unmount() // nobody uses it any more
	}
	return limit, ok
}

// smallestAbove is the smallest limit of a group and those above it, and of what
// was found before.
func smallestAbove(root, group, file string, limit int64, ok bool) (int64, bool) {
	for ; ; group = path.Dir(group) {
		text, err := os.ReadFile(path.Join(root, group, file))
		if err == nil {
			ok = true
			n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no limit
			if n >= noLimit {
				n = 0
			}
			limit = smallest(limit, n)
		}
		if group == "/" || group == "." {
			return limit, ok
		}
	}
}

// noLimit is where memory.limit_in_bytes begins to mean that there is none: the
// largest number of whole pages.
const noLimit = math.MaxInt64 &^ (64<<10 - 1)
