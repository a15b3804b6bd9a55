package backlog_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tcplab/listener/backlog"
)

// seconds makes durations of whole seconds.
func seconds(n ...int) []time.Duration {
	d := make([]time.Duration, len(n))
	for i := range n {
		d[i] = time.Duration(n[i]) * time.Second
	}
	return d
}

func TestWithRetries(t *testing.T) {
	berkeley := backlog.Schedule{Retransmit: seconds(6, 30), Expire: 75 * time.Second, ResetOnExpire: true}
	linux := backlog.Schedule{Retransmit: seconds(1, 3, 7, 15, 31), Expire: 63 * time.Second}
	for _, test := range []struct {
		name     string
		schedule backlog.Schedule
		retries  int
		times    []time.Duration
		expire   int
	}{
		{"none", berkeley, 0, nil, 75},
		{"fewer", berkeley, 1, seconds(6), 75},
		{"as many", berkeley, 2, seconds(6, 30), 75},
		{"one more, waiting twice as long, and a last wait twice as long again", berkeley, 3, seconds(6, 30, 78), 78 + 96},
		{"Linux with tcp_synack_retries = 2", linux, 2, seconds(1, 3), 63},
		{"Linux with tcp_synack_retries = 6", linux, 6, seconds(1, 3, 7, 15, 31, 63), 127},
		{"from nothing, after RFC 6298", backlog.Schedule{Expire: time.Second}, 3, seconds(1, 3, 7), 15},
		{"one from nothing", backlog.Schedule{Expire: time.Second}, 1, seconds(1), 3},
		{"one from nothing that fits", backlog.Schedule{Expire: 2 * time.Second}, 1, seconds(1), 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.schedule.WithRetries(test.retries)
			if !slices.Equal(got.Retransmit, test.times) || got.Expire != time.Duration(test.expire)*time.Second {
				t.Errorf("%v, expiry %v; want %v, %ds", got.Retransmit, got.Expire, test.times, test.expire)
			}
			if got.ResetOnExpire != test.schedule.ResetOnExpire {
				t.Error("ResetOnExpire changed")
			}
		})
	}
}

// Whatever is asked for, the times ascend, end before the expiry, begin as the
// schedule did, and the schedule itself, which is shared, stays as it was.
func TestWithRetriesMakesAscendingTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s backlog.Schedule
		at := time.Duration(0)
		for range rapid.IntRange(0, 5).Draw(t, "retransmissions") {
			at += time.Duration(rapid.IntRange(1, 30_000).Draw(t, "wait")) * time.Millisecond
			s.Retransmit = append(s.Retransmit, at)
		}
		s.Expire = at + time.Duration(rapid.IntRange(1, 30_000).Draw(t, "last wait"))*time.Millisecond
		before := slices.Clone(s.Retransmit)

		n := rapid.IntRange(0, backlog.MaxRetries).Draw(t, "retries")
		got := s.WithRetries(n)
		common := min(n, len(before))
		switch all := append(slices.Clone(got.Retransmit), got.Expire); {
		case len(got.Retransmit) != n:
			t.Fatalf("%d retransmissions, want %d", len(got.Retransmit), n)
		case !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all):
			t.Fatalf("times %v do not ascend", all)
		case got.Expire < s.Expire:
			t.Fatalf("expiry moved from %v back to %v", s.Expire, got.Expire)
		case !slices.Equal(got.Retransmit[:common], before[:common]):
			t.Fatalf("%v does not begin as %v", got.Retransmit, before)
		}
		for i := range got.Retransmit {
			got.Retransmit[i] = 0
		}
		if !slices.Equal(s.Retransmit, before) {
			t.Fatalf("the schedule itself changed to %v", s.Retransmit)
		}
	})
}
