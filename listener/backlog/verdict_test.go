package backlog_test

import (
	"encoding/json"
	"testing"

	"tcplab/listener/backlog"
)

// Every value has a name of its own, in text and in JSON.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for v := backlog.Drop; v <= backlog.Forget; v++ {
		inJSON, err := json.Marshal(v)
		if name := v.String(); name == "" || seen[name] || err != nil || string(inJSON) != `"`+name+`"` {
			t.Errorf("verdict %d is %q, in JSON %s, %v", v, name, inJSON, err)
		}
		seen[v.String()] = true
	}
	clear(seen)
	for p := backlog.Gone; p <= backlog.Completed; p++ {
		inJSON, err := json.Marshal(p)
		if name := p.String(); name == "" || seen[name] || err != nil || string(inJSON) != `"`+name+`"` {
			t.Errorf("place %d is %q, in JSON %s, %v", p, name, inJSON, err)
		}
		seen[p.String()] = true
	}
}

func TestDecisionsInWords(t *testing.T) {
	counts := backlog.Counts{Incomplete: 3, Completed: 10}
	for reason, want := range map[backlog.Reason]string{
		backlog.Room:           "room (incomplete 3, completed 10)",
		backlog.TotalFull:      "13 of 12 queued (incomplete 3, completed 10)",
		backlog.CompletedFull:  "completed queue full, 13 of 12 (incomplete 3, completed 10)",
		backlog.IncompleteFull: "incomplete queue full, 13 of 12 (incomplete 3, completed 10)",
		backlog.KeptForProven:  "incomplete queue at 13 of 12, the rest is kept for proven peers (incomplete 3, completed 10)",
		backlog.AlwaysCookies:  "SYN cookies are always on (incomplete 3, completed 10)",
		backlog.Deferred:       "bare ACK, accept is deferred until data comes (incomplete 3, completed 10)",
	} {
		d := backlog.Decision{Reason: reason, Have: 13, Bound: 12}
		if got := d.Words(counts); got != want {
			t.Errorf("reason %d: %q, want %q", reason, got, want)
		}
	}
}
