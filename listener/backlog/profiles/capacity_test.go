package profiles_test

import (
	"testing"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

func TestCapacity(t *testing.T) {
	const no = backlog.Unbounded
	for _, test := range []struct {
		profile *backlog.Profile
		change  func(*backlog.Settings)
		want    backlog.Capacity
	}{
		{profiles.BSD, nil, backlog.Capacity{Together: 13, Incomplete: no, Completed: no}},
		{profiles.Sum, nil, backlog.Capacity{Together: 8, Incomplete: no, Completed: no}},
		{profiles.Sum, func(s *backlog.Settings) { s.Backlog = 0 }, backlog.Capacity{Together: 0, Incomplete: no, Completed: no}},
		{profiles.Solaris9, func(s *backlog.Settings) { s.Backlog = 4 }, backlog.Capacity{Together: 6, Incomplete: no, Completed: no}},
		{profiles.MacOS, nil, backlog.Capacity{Together: 8, Incomplete: no, Completed: no}},
		{profiles.Linux, nil, backlog.Capacity{Together: no, Incomplete: 9, Completed: 9}},
		{profiles.Linux, func(s *backlog.Settings) { s.Backlog, s.Syncookies = 0, 0 }, backlog.Capacity{Together: no, Incomplete: 1, Completed: 1}},
		{profiles.Linux, func(s *backlog.Settings) { s.Backlog, s.Syncookies, s.MaxSynBacklog = 128, 0, 16 }, backlog.Capacity{Together: no, Incomplete: 13, Completed: 129}},
		{profiles.Linux, func(s *backlog.Settings) { s.Syncookies = 2 }, backlog.Capacity{Together: no, Incomplete: 0, Completed: 9}},
		{profiles.Linux24, nil, backlog.Capacity{Together: no, Incomplete: 256, Completed: 9}},
		{profiles.FreeBSD, nil, backlog.Capacity{Together: no, Incomplete: 15360, Completed: 13}},
		{profiles.FreeBSD4, nil, backlog.Capacity{Together: no, Incomplete: no, Completed: 9}},
		{profiles.Illumos, nil, backlog.Capacity{Together: no, Incomplete: 1032, Completed: 8}},
	} {
		s := backlog.Settings{Backlog: 8, Somaxconn: 4096, MaxSynBacklog: 256, Syncookies: 1}
		if test.change != nil {
			test.change(&s)
		}
		if got := test.profile.Capacity(test.profile.Limits(s)); got != test.want {
			t.Errorf("%s with %+v: %+v, want %+v", test.profile.Name, s, got, test.want)
		}
	}
}
