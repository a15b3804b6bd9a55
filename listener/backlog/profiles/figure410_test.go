package profiles_test

import (
	"slices"
	"testing"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

// large is a system on which nothing but the backlog limits.
func large(b int) backlog.Settings {
	return backlog.Settings{Backlog: b, Somaxconn: 4096, MaxSynBacklog: 4096}
}

// queued is how many connections are queued when the first SYN of a row of
// clients that all answer the SYN-ACK is dropped, and how many of them are
// completed.
func queued(t *testing.T, profile *backlog.Profile, s backlog.Settings) (all, completed int) {
	t.Helper()
	q := backlog.NewQueues[int](profile, s)
	for i := range 20_000 {
		if q.SYN().Verdict != backlog.Admit {
			return q.Counts().Total(), q.Counts().Completed
		}
		switch e := q.Admit(0, i); q.FinalACK().Verdict {
		case backlog.Promote:
			q.Promote(0, e)
		case backlog.Park:
			q.Park(e)
		case backlog.Reset, backlog.Forget:
			q.Remove(e)
			return q.Counts().Total(), q.Counts().Completed
		}
	}
	t.Fatalf("%s admits without end", profile.Name)
	return 0, 0
}

// UNP 3rd ed., figure 4.10: "actual number of queued connections for values of
// backlog", from 0 to 14.
func TestFigure410(t *testing.T) {
	for _, row := range []struct {
		profile *backlog.Profile
		want    []int
	}{
		{profiles.BSD, []int{1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22}},
		{profiles.Linux24, []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}},
		{profiles.HPUX11, []int{1, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19, 21}},
		{profiles.FreeBSD4, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
		{profiles.Solaris9, []int{1, 2, 4, 5, 6, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22}},
	} {
		var got []int
		for b := range row.want {
			all, _ := queued(t, row.profile, large(b))
			got = append(got, all)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, figure 4.10 has %v", row.profile.Name, got, row.want)
		}
	}
}

// How many connections wait for accept in the systems that the figure does not
// have, by their own sources; Linux as measured with 6.18.
func TestCompletedConnectionsThatFit(t *testing.T) {
	for _, row := range []struct {
		profile *backlog.Profile
		fits    func(b int) int
	}{
		{profiles.Sum, func(b int) int { return b }},
		{profiles.FreeBSD, func(b int) int { return 3*b/2 + 1 }},
		{profiles.Linux, func(b int) int { return b + 1 }},
		{profiles.Linux26, func(b int) int { return b + 1 }},
		{profiles.MacOS, func(b int) int {
			if b == 0 || b > 128 {
				return 128
			}
			return b
		}},
		{profiles.NetBSD, func(b int) int { return b + 1 }},
		{profiles.OpenBSD, func(b int) int { return min(max(b, 80), 128) + 1 }},
		{profiles.Illumos, func(b int) int { return min(max(b, 1), 128) }},
		{profiles.LwIP, func(b int) int { return min(max(b, 1), 255) }},
	} {
		for _, b := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 79, 80, 81, 127, 128, 129, 255, 256, 4096} {
			if _, got := queued(t, row.profile, large(b)); got != row.fits(b) {
				t.Errorf("%s, backlog %d: %d completed connections fit, want %d", row.profile.Name, b, got, row.fits(b))
			}
		}
	}
}

// halfOpen is how many SYNs are admitted that nobody completes.
func halfOpen(profile *backlog.Profile, s backlog.Settings) int {
	q := backlog.NewQueues[int](profile, s)
	for q.SYN().Verdict == backlog.Admit {
		q.Admit(0, 0)
	}
	return q.Counts().Incomplete
}

// How many half-open connections fit; Linux as measured with 6.18.
func TestHalfOpenConnectionsThatFit(t *testing.T) {
	linux := func(b, maxSynBacklog, cookies int) backlog.Settings {
		return backlog.Settings{Backlog: b, Somaxconn: 4096, MaxSynBacklog: maxSynBacklog, Syncookies: cookies}
	}
	for _, test := range []struct {
		profile  *backlog.Profile
		settings backlog.Settings
		want     int
	}{
		{profiles.Linux, linux(0, 4096, 0), 1}, {profiles.Linux, linux(1, 4096, 0), 2},
		{profiles.Linux, linux(4, 4096, 0), 5}, {profiles.Linux, linux(8, 4096, 0), 9},
		{profiles.Linux, linux(16, 4096, 0), 17},
		{profiles.Linux, linux(128, 8, 0), 7}, {profiles.Linux, linux(128, 16, 0), 13}, {profiles.Linux, linux(128, 64, 0), 49},
		{profiles.Linux, linux(128, 8, 1), 129}, {profiles.Linux, linux(128, 8, 2), 0},
		{profiles.Linux26, linux(5, 4096, 0), 16}, {profiles.Linux26, linux(128, 4096, 0), 256},
		{profiles.Linux26, linux(511, 4096, 0), 512},
		{profiles.FreeBSD, large(1), 512 * 30},
		{profiles.Illumos, large(0), 1 + 1024}, {profiles.Illumos, large(8), 8 + 1024},
		{profiles.BSD, large(8), 13}, {profiles.Sum, large(8), 8}, {profiles.MacOS, large(8), 8}, {profiles.LwIP, large(0), 1},
	} {
		if got := halfOpen(test.profile, test.settings); got != test.want {
			t.Errorf("%s, %+v: %d half-open connections fit, want %d", test.profile.Name, test.settings, got, test.want)
		}
	}
}

// At a full queue of half-open entries macOS and illumos evict one; what is
// completed stays.
func TestEviction(t *testing.T) {
	q := backlog.NewQueues[int](profiles.MacOS, large(2))
	first := q.Admit(0, 1)
	q.Admit(0, 2)
	if d := q.SYN(); d.Verdict != backlog.Evict || q.OldestIncomplete() != first {
		t.Errorf("macos with two half-open entries of two: %+v", d)
	}
	q.Promote(0, first)
	q.Promote(0, q.OldestIncomplete())
	if d := q.SYN(); d.Verdict != backlog.Drop {
		t.Errorf("macos with two completed connections of two: %+v", d)
	}
}
