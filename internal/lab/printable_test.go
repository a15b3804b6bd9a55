package lab

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// What programs print, and what clients sent them, reaches neither a terminal nor the
// report as it is.
func TestAccountIsPrintable(t *testing.T) {
	const hostile = "\x1b]0;owned\x07\u009b31m\u202e<script>alert(1)</script>\r\nnext"
	l, err := Lookup("full-queue")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := &Scene{lab: l, ctx: t.Context(), out: &out, started: time.Now()}
	s.Step("%s", hostile)
	s.Say("%s", hostile)
	s.Show(hostile)
	s.Claim(true, "%s", hostile)
	var page bytes.Buffer
	if err := reportTemplate.Execute(&page, &report{Lab: l, Items: s.record.Items}); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"account": out.String(), "report": page.String()} {
		if strings.ContainsAny(text, "\x1b\x07\u009b\u202e\r") {
			t.Errorf("%s: %q", what, text)
		}
		if strings.Count(text, `\u001b]0;owned`) != 4 {
			t.Errorf("%s has not all of it: %q", what, text)
		}
	}
	if strings.Contains(page.String(), "<script>") {
		t.Error("the report has a script")
	}
}
