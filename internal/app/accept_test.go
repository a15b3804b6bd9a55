package app_test

import (
	"encoding/json"
	"strings"
	"testing"

	"tcplab/internal/app"

	"pgregory.net/rapid"
)

func TestParseAccept(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"auto", "auto"},
		{"off", "off"},
		{"5/s", "5/s"},
		{"0.5/s", "0.5/s"},
		{".5/s", "0.5/s"},
		{"30/m", "30/m"},
		{"1/h", "1/h"},
		{"1/2s", "1/2s"},
		{"1/1s", "1/s"},
		{"005/60s", "5/m"},
		{"3/250ms", "3/250ms"},
		{"1/24h", "1/24h0m0s"},
		{"1000000/s", "1000000/s"},
	} {
		a, err := app.ParseAccept(tt.text)
		if err != nil || a.String() != tt.want {
			t.Errorf("ParseAccept(%q) = %v, %v; want %v", tt.text, a, err, tt.want)
		}
	}
}

func TestParseAcceptRefuses(t *testing.T) {
	const forms = "give auto, off, or a rate such as 5/s"
	for text, want := range map[string]string{
		"":             forms,
		"on":           forms,
		"Auto":         forms,
		"5":            forms,
		"/s":           forms,
		"5/":           forms,
		"5/x":          forms,
		"5/s/s":        forms,
		"-5/s":         forms,
		"+5/s":         forms,
		"1e3/s":        forms,
		"inf/s":        forms,
		"nan/s":        forms,
		"0x1p4/s":      forms,
		"1.2.3/s":      forms,
		".":            forms,
		"5 /s":         forms,
		"1/0s":         forms,
		"1/-1s":        forms,
		"0/s":          "give off",
		"0.0/s":        "give off",
		"1/25h":        "give off",
		"1000001/s":    "give auto",
		"1/1ns":        "give auto",
		"999999999/ms": forms,
	} {
		_, err := app.ParseAccept(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("ParseAccept(%q): error %v; want %q quoted, and %q", text, err, text, want)
		}
	}
}

func TestAcceptRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9]{1,4}(\.[0-9]{1,3})?/([smh]|[1-9][0-9]?(ms|s|m))`).Draw(t, "text")
		a, err := app.ParseAccept(text)
		if err != nil {
			return // a rate out of bounds
		}
		if b, err := app.ParseAccept(a.String()); err != nil || a != b {
			t.Fatalf("%q gives %v, which gives %v, %v", text, a, b, err)
		}
	})
}

func FuzzParseAccept(f *testing.F) {
	for _, text := range []string{"auto", "off", "5/s", "0.5/s", "1/2s", "1/1h30m"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := app.ParseAccept(text)
		if err != nil {
			return
		}
		if b, err := app.ParseAccept(a.String()); err != nil || a != b {
			t.Fatalf("%q gives %v, which gives %v, %v", text, a, b, err)
		}
	})
}

func TestAcceptInJSON(t *testing.T) {
	rate, _ := app.ParseAccept("5/s")
	for _, a := range []app.Accept{app.Auto, app.Off, rate} {
		text, err := json.Marshal(a)
		if err != nil || string(text) != `"`+a.String()+`"` {
			t.Fatalf("Marshal(%v) = %s, %v", a, text, err)
		}
		var b app.Accept
		if err := json.Unmarshal(text, &b); err != nil || a != b {
			t.Fatalf("Unmarshal(%s) = %v, %v", text, b, err)
		}
	}
	var a app.Accept
	if err := json.Unmarshal([]byte(`"fast"`), &a); err == nil {
		t.Fatal("no error for fast")
	}
}
