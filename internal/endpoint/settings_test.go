package endpoint_test

import (
	"strings"
	"testing"

	"tcplab/internal/app"
	"tcplab/internal/endpoint"
)

func TestSettingsAsText(t *testing.T) {
	for _, test := range []struct{ name, value, want, err string }{
		{"backlog", "16", "16", ""},
		{"backlog", "-1", "-1", ""},
		{"backlog", "2147483647", "2147483647", ""},
		{"backlog", "2147483648", "", "32-bit"},
		{"backlog", "eight", "", "give a number"},
		{"backlog", "", "", "give a number"},
		{"somaxconn", "128", "128", ""},
		{"somaxconn", "0", "", "from 1 to 2147483647"},
		{"somaxconn", "-1", "", "from 1 to 2147483647"},
		{"profile", "sum", "sum", ""},
		{"profile", "windows", "", `unknown profile "windows": known are sum, bsd`},
		{"accept", "off", "off", ""},
		{"accept", "5/s", "5/s", ""},
		{"accept", "five", "", "auto, off, or a rate"},
		{"syn-timeout", "2s", "2s", ""},
		{"syn-timeout", "profile", "profile", ""},
		{"syn-timeout", "0", "", "give a time"},
		{"syn-timeout", "-1s", "", "give a time"},
		{"syn-timeout", "75", "", "give a time"},
		{"synack-retries", "0", "0", ""},
		{"synack-retries", "16", "16", ""},
		{"synack-retries", "profile", "profile", ""},
		{"synack-retries", "17", "", "from 0 to 16"},
		{"synack-retries", "-1", "", "from 0 to 16"},
		{"max-syn-backlog", "128", "128", ""},
		{"max-syn-backlog", "0", "", "net.ipv4.tcp_max_syn_backlog"},
		{"syncookies", "2", "2", ""},
		{"syncookies", "3", "", "net.ipv4.tcp_syncookies"},
		{"abort-on-overflow", "true", "true", ""},
		{"abort-on-overflow", "perhaps", "", "give true or false"},
		{"defer-accept", "3s", "3s", ""},
		{"defer-accept", "3", "", "give a time"},
		{"user-timeout", "30s", "30s", ""},
		{"user-timeout", "0", "0s", ""},
		{"user-timeout", "-1s", "", "TCP_USER_TIMEOUT"},
		{"user-timeout", "1ms", "", "from 100ms to 24h"},
		{"keepalive-time", "0", "0s", ""},
		{"keepalive-time", "2", "", "or 0 for never (net.ipv4.tcp_keepalive_time)"},
		{"keepalive-intvl", "20s", "20s", ""},
		{"keepalive-intvl", "0", "", "net.ipv4.tcp_keepalive_intvl"},
		{"keepalive-probes", "9", "9", ""},
		{"keepalive-probes", "0", "", "from 1 to 127"},
		{"nonsense", "1", "", "unknown setting \"nonsense\": there are abort-on-overflow, accept, backlog, "},
	} {
		s := endpoint.Defaults().Settings
		err := s.Set(test.name, test.value)
		switch {
		case test.err == "" && err != nil:
			t.Errorf("%s=%s: %v", test.name, test.value, err)
		case test.err == "" && s.Get(test.name) != test.want:
			t.Errorf("%s=%s reads back as %s, want %s", test.name, test.value, s.Get(test.name), test.want)
		case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s=%s: error %v, want one with %q", test.name, test.value, err, test.err)
		}
	}
}

// What a setting shows, it reads.
func TestSettingsRoundTrip(t *testing.T) {
	from := endpoint.Defaults().Settings
	if err := from.Set("synack-retries", "3"); err != nil {
		t.Fatal(err)
	}
	from.Accept = app.Off
	var to endpoint.Settings
	for _, name := range endpoint.SettingNames() {
		if err := to.Set(name, from.Get(name)); err != nil {
			t.Errorf("%s=%s: %v", name, from.Get(name), err)
		}
		if to.Get(name) != from.Get(name) {
			t.Errorf("%s: %s, want %s", name, to.Get(name), from.Get(name))
		}
	}
}

func TestChangesApplyTogetherOrNotAtAll(t *testing.T) {
	before := endpoint.Defaults().Settings
	after, err := before.With(map[string]string{"backlog": "2", "profile": "sum"})
	if err != nil || after.Backlog.Backlog != 2 || after.Profile.Name != "sum" {
		t.Errorf("%+v, %v", after, err)
	}
	if _, err := before.With(map[string]string{"backlog": "3", "profile": "nonsense"}); err == nil ||
		!strings.HasPrefix(err.Error(), "profile=nonsense: unknown profile") {
		t.Errorf("error %v, want one that says which change is wrong", err)
	}
	if before.Backlog.Backlog != 8 || before.Profile.Name != "bsd" {
		t.Errorf("the settings changed were changed in place: %+v", before)
	}
}
