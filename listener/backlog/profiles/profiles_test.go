package profiles_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

// 4.4BSD sonewconn, half-open and completed together in every mixture.
func TestBSDHoldsOneAndAHalfAndOne(t *testing.T) {
	for b := range 15 {
		queuesHold(t, profiles.BSD, b, 3*b/2+1)
	}
}

func TestSumIsTheBacklogItself(t *testing.T) {
	for b := range 15 {
		queuesHold(t, profiles.Sum, b, b)
	}
}

// queuesHold fills queues in every mixture of half-open and completed entries
// and expects want of them to fit.
func queuesHold(t *testing.T, profile *backlog.Profile, b, want int) {
	t.Helper()
	for promoted := range want + 1 {
		q := backlog.NewQueues[int](profile, backlog.Settings{Backlog: b, Somaxconn: 4096})
		held := 0
		for d := q.SYN(); d.Verdict == backlog.Admit; d = q.SYN() {
			if d.Have != held || d.Bound != want || d.Reason != backlog.Room {
				t.Fatalf("%s, backlog %d, entry %d: %+v", profile.Name, b, held, d)
			}
			e := q.Admit(0, held)
			if held++; held > want {
				break
			}
			if held > promoted {
				continue
			}
			if d := q.FinalACK(); d.Verdict != backlog.Promote {
				t.Fatalf("%s, backlog %d: final ACK %d: %+v", profile.Name, b, held, d)
			}
			q.Promote(0, e)
		}
		full := backlog.Decision{Verdict: backlog.Drop, Reason: backlog.TotalFull, Have: want, Bound: want}
		if d := q.SYN(); held != want || d != full {
			t.Errorf("%s, backlog %d, %d completed: %d entries fit, then %+v; want %d, then %+v", profile.Name, b, promoted, held, d, want, full)
		}
	}
}

// 4.4BSD solisten: "if (backlog < 0) backlog = 0"; -1 is the whole system's
// maximum here, as php-fpm has it.
func TestClamp(t *testing.T) {
	for _, profile := range []*backlog.Profile{profiles.Sum, profiles.BSD} {
		for _, test := range []struct{ backlog, somaxconn, want int }{
			{-1, 4096, 4096}, {-1, 1, 1}, {-5, 4096, 0}, {-1 << 31, 128, 0},
			{0, 128, 0}, {1, 128, 1}, {127, 128, 127}, {128, 128, 128}, {129, 128, 128},
			{65535, 4096, 4096}, {1 << 31, 4096, 4096},
		} {
			settings := backlog.Settings{Backlog: test.backlog, Somaxconn: test.somaxconn}
			want := backlog.Limits{Settings: settings, Effective: test.want}
			if got := profile.Limits(settings); got != want {
				t.Errorf("%s: limits of %+v are %+v, want %+v", profile.Name, settings, got, want)
			}
		}
	}
}

func TestDescribeSaysTheNumbers(t *testing.T) {
	for _, test := range []struct {
		profile *backlog.Profile
		backlog int
		want    string
	}{
		{profiles.BSD, 8, "incomplete + completed <= 13, that is 3*8/2+1"},
		{profiles.BSD, 0, "incomplete + completed <= 1, that is 3*0/2+1"},
		{profiles.BSD, -1, "incomplete + completed <= 193, that is 3*128/2+1"},
		{profiles.Sum, 8, "incomplete + completed <= 8, that is the backlog itself"},
		{profiles.Sum, 0, "incomplete + completed <= 0, that is the backlog itself: every SYN is dropped"},
	} {
		limits := test.profile.Limits(backlog.Settings{Backlog: test.backlog, Somaxconn: 128})
		if got := test.profile.Describe(limits); got != test.want {
			t.Errorf("%s, backlog %d: %q, want %q", test.profile.Name, test.backlog, got, test.want)
		}
	}
}

// TCP/IP Illustrated vol. 2, chapter 25: SYN-ACKs at about 0, 6 and 30 s; 75 s
// after the SYN, TCPTV_KEEP_INIT, tcp_drop sends a RST.
func TestBerkeleySchedule(t *testing.T) {
	for _, profile := range []*backlog.Profile{profiles.Sum, profiles.BSD} {
		s := profile.Schedule
		if !slices.Equal(s.Retransmit, []time.Duration{6 * time.Second, 30 * time.Second}) || s.Expire != 75*time.Second || !s.ResetOnExpire {
			t.Errorf("%s: schedule %+v", profile.Name, s)
		}
	}
}

// A profile says who it is, where it comes from and what it does, and is found
// by its name.
func TestEveryProfileIsComplete(t *testing.T) {
	all := profiles.All()
	for i, p := range all {
		found, err := profiles.Lookup(p.Name)
		switch {
		case err != nil || found != p || profiles.Names()[i] != p.Name:
			t.Errorf("Lookup(%q) = %v, %v; names %v", p.Name, found, err, profiles.Names())
		case p.Name == "" || p.Systems == "" || p.Rule == "" || len(p.Sources) == 0:
			t.Errorf("%q does not say what it is: %+v", p.Name, p)
		case p.Clamp == nil || p.Describe == nil || p.AtSYN == nil || p.AtFinalACK == nil || p.Schedule.Expire <= 0:
			t.Errorf("%q does not decide: %+v", p.Name, p)
		}
	}
	all[0] = nil
	if profiles.All()[0] == nil {
		t.Error("All hands out the list itself")
	}
	if _, err := profiles.Lookup("linux-7"); err == nil || !strings.Contains(err.Error(), strings.Join(profiles.Names(), ", ")) {
		t.Errorf("error %q should list the names", err)
	}
}
