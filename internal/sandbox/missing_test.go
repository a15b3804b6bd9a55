package sandbox

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMissing goes through what kernels lack. Each note is known by words of it.
func TestMissing(t *testing.T) {
	noSeccomp, err := noFilter(unix.ENOSYS)
	if err != nil {
		t.Fatal(err)
	}
	var (
		truncate = "no rules for truncating files"
		tcp      = "no rules for TCP"
		devices  = "no rules for devices"
		signals  = "no rules for signals and abstract unix sockets"
	)
	for abi, want := range [][]string{
		0:        {"this kernel has no landlock", tcp, devices, signals},
		1:        {truncate, tcp, devices, signals},
		2:        {truncate, tcp, devices, signals},
		3:        {tcp, devices, signals},
		4:        {devices, signals},
		5:        {signals},
		abiScope: nil,
		7:        nil,
		11:       nil,
	} {
		if abi > 7 && abi < 11 {
			continue
		}
		held := landlockABI{version: abi}
		if abi == 0 {
			held.err = unix.ENOSYS
		}
		wantNotes(t, missing(held, ""), want)
		for _, note := range missing(held, "") {
			if strings.Contains(note, "no rules for") && !strings.HasSuffix(note, "the system call filter alone keeps the process from them") {
				t.Errorf("ABI %d: %q", abi, note)
			}
		}
		// Without the filter either, the process can do it.
		free := missing(held, noSeccomp)
		i := slices.Index(free, noSeccomp)
		if i < 0 {
			t.Fatalf("ABI %d without seccomp: %q", abi, free)
		}
		wantNotes(t, slices.Delete(slices.Clone(free), i, i+1), want)
		for _, note := range free {
			if !strings.Contains(note, "the process can ") {
				t.Errorf("ABI %d without seccomp: %q", abi, note)
			}
		}
	}
}

// wantNotes wants notes with these words, in order, and no others.
func wantNotes(t *testing.T, notes, words []string) {
	t.Helper()
	if len(notes) != len(words) {
		t.Fatalf("%q, want those of %q", notes, words)
	}
	for i, note := range notes {
		if !strings.Contains(note, words[i]) {
			t.Errorf("%q, want %q", note, words[i])
		}
	}
}

// TestErrnos tells a kernel that lacks something from a place where it is
// forbidden.
func TestErrnos(t *testing.T) {
	const forbidden = "forbidden here, by the seccomp filter of a container, for example: have that filter allow it"
	for errno, want := range map[error]string{
		unix.ENOSYS:     "this kernel has no landlock",
		unix.EOPNOTSUPP: "landlock is disabled in this kernel: boot it with",
		unix.EPERM:      forbidden,
		unix.EACCES:     forbidden,
		unix.EIO:        unix.EIO.Error(),
	} {
		if got := noLandlock(errno); !strings.Contains(got, want) {
			t.Errorf("landlock, %v: %q, want %q", errno, got, want)
		}
	}
	for errno, want := range map[error]string{
		unix.ENOSYS:         "this kernel has no seccomp(2)",
		unix.EINVAL:         "this kernel has no seccomp filters",
		unix.EPERM:          forbidden,
		errUnknownProcessor: "no list of system calls for ",
	} {
		if got, err := noFilter(errno); err != nil || !strings.Contains(got, want) {
			t.Errorf("seccomp, %v: %q, %v, want %q", errno, got, err, want)
		}
	}
	if note, err := noFilter(nil); note != "" || err != nil {
		t.Errorf("with a filter: %q, %v", note, err)
	}
	for _, errno := range []error{unix.EACCES, unix.ENOMEM, unix.EFAULT, errors.New("thread 7")} {
		if note, err := noFilter(errno); err == nil {
			t.Errorf("%v is taken for a kernel that lacks something: %q", errno, note)
		}
	}
}
