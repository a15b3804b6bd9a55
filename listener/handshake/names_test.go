package handshake_test

import (
	"encoding/json"
	"testing"

	"tcplab/listener/handshake"
)

// Every counter and every kind of event has a name of its own; where Linux
// counts the same, the name is nstat's.
func TestNames(t *testing.T) {
	var counters handshake.Counters
	for c := range handshake.NumCounters {
		counters[c] = uint64(c) + 1
	}
	byName := counters.Map()
	if len(byName) != int(handshake.NumCounters) || byName[""] != 0 {
		t.Errorf("%d names for %d counters: %v", len(byName), handshake.NumCounters, byName)
	}
	for c := range handshake.NumCounters {
		if byName[c.String()] != uint64(c)+1 {
			t.Errorf("counter %d is %v, which is %d by name", c, c, byName[c.String()])
		}
	}
	for c, want := range map[handshake.Counter]string{
		handshake.PassiveOpens: "PassiveOpens", handshake.OutRsts: "OutRsts", handshake.ListenDrops: "ListenDrops",
		handshake.ListenOverflows: "ListenOverflows", handshake.TCPReqQFullDrop: "TCPReqQFullDrop",
		handshake.EmbryonicRsts: "EmbryonicRsts", handshake.TCPSynRetrans: "TCPSynRetrans",
		handshake.TCPChallengeACK: "TCPChallengeACK", handshake.PAWSEstab: "PAWSEstab",
		handshake.AdoptionsFailed: "AdoptionsFailed",
	} {
		if c.String() != want {
			t.Errorf("counter %s is called %v", want, c)
		}
	}

	kinds := handshake.Kinds()
	seen := make(map[string]bool)
	for i, name := range kinds {
		inJSON, err := json.Marshal(handshake.Kind(i))
		if name == "" || seen[name] || handshake.Kind(i).String() != name || err != nil || string(inJSON) != `"`+name+`"` {
			t.Errorf("kind %d is %q, in JSON %s, %v", i, name, inJSON, err)
		}
		seen[name] = true
	}
	if len(kinds) != int(handshake.Closed)+1 || handshake.Closed.String() != "closed" {
		t.Errorf("%d kinds: %v", len(kinds), kinds)
	}
}

func TestCountersAdd(t *testing.T) {
	var a, b handshake.Counters
	a[handshake.Accepts], b[handshake.Accepts], b[handshake.OutRsts] = 2, 3, 1
	a.Add(&b)
	if a[handshake.Accepts] != 5 || a[handshake.OutRsts] != 1 || b[handshake.Accepts] != 3 {
		t.Errorf("sum %v", a.Map())
	}
}
