package printable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"plain, with ünïcödé … ░█": "plain, with ünïcödé … ░█",
		"a\tb\nc":                  "a\tb\nc",
		"\x1b[31mred\x1b[0m":       `\u001b[31mred\u001b[0m`,
		"\x1b]0;title\x07":         `\u001b]0;title\u0007`,
		"\u009b31m":                `\u009b31m`,              // CSI of C1
		"\x9b31m":                  `\x9b31m`,                // the same in Latin-1, which is no UTF-8
		"a\x7fb\x00c\rd":           `a\u007fb\u0000c\u000dd`, // DEL, NUL, CR
		"exe.\u202etxt\u202c":      `exe.\u202etxt\u202c`,    // right-to-left override
		"\u2066x\u2069\u200f":      `\u2066x\u2069\u200f`,    // isolates, marks
		"a\u200bb\ufeff\u00ad":     `a\u200bb\ufeff\u00ad`,   // without width
		"a\u2028b\u2029c\u0085d":   `a\u2028b\u2029c\u0085d`, // ends of lines
		"tag \U000e0041":           `tag \udb40\udc41`,       // invisible
		"\xc3\x28 \xed\xa0\x80":    `\xc3( \xed\xa0\x80`,     // invalid, and a surrogate
		"replaced \ufffd":          "replaced \ufffd",        // a character like others
		"private \ue000":           `private \ue000`,         // means what the font says
	} {
		if got := Text(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got, want := Line("a\tb\nc\r"), `a\u0009b\u000ac\u000d`; got != want {
		t.Errorf("a line: %q, want %q", got, want)
	}
}

// harmful is what may not reach a terminal.
func harmful(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs))
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"a\x1b[31m", "\u202e", "\xff", "\r\n", "░", "\U000e0041"} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		got := Text(string(text))
		if !utf8.ValidString(got) || strings.ContainsFunc(got, harmful) {
			t.Fatalf("%q: %q", text, got)
		}
		if Text(got) != got {
			t.Fatalf("%q: %q becomes %q", text, got, Text(got))
		}
		// A writer does the same, wherever the text is cut.
		var out bytes.Buffer
		w := NewWriter(&out)
		cut = min(max(cut, 0), len(text))
		for _, part := range [][]byte{text[:cut], text[cut:]} {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("wrote %d of %d, %v", n, len(part), err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\r\n")
		for i := range lines {
			lines[i] = Text(lines[i])
		}
		if want := strings.Join(lines, "\r\n"); out.String() != want {
			t.Fatalf("%q cut at %d: wrote %q, want %q", text, cut, &out, want)
		}
		// JSON stays the same JSON.
		encoded, err := json.Marshal(string(text))
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		if json.Unmarshal(encoded, &before) != nil || json.Unmarshal([]byte(Text(string(encoded))), &after) != nil || before != after {
			t.Fatalf("JSON %q became %q", before, after)
		}
	})
}

func TestWriterPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	w := NewWriter(failing{broken})
	for _, text := range []string{"plain", "\x1b"} {
		if _, err := w.Write([]byte(text)); !errors.Is(err, broken) {
			t.Errorf("%q: %v", text, err)
		}
	}
	var out bytes.Buffer
	if Raw(NewWriter(&out)) != io.Writer(&out) || Raw(&out) != io.Writer(&out) {
		t.Error("Raw is not what is written to")
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestFields(t *testing.T) {
	type inner struct {
		Text  string
		Texts []string
		Map   map[string]uint64
		Addr  netip.Addr
		Port  netip.AddrPort
		At    *netip.AddrPort
		Bytes []byte
		Any   any
		inner string
	}
	const bad, good = "\x1b\n", `\u001b\u000a`
	addr := netip.MustParseAddr("fe80::1%" + bad)
	port := netip.AddrPortFrom(addr, 80)
	fill := func(text string, addr netip.Addr) []*inner {
		port := netip.AddrPortFrom(addr, 80)
		return []*inner{{Text: text, Texts: []string{text}, Map: map[string]uint64{text: 1}, Addr: addr, Port: port, At: &port, Bytes: []byte(bad), inner: "x"}, nil}
	}
	got, want := fill(bad, addr), fill(good, addr.WithZone(good))
	Fields(&got)
	if g, w := fmt.Sprintf("%+v %v", *got[0], *got[0].At), fmt.Sprintf("%+v %v", *want[0], *want[0].At); !sameBut(g, w) {
		t.Errorf("%q, want %q", g, w)
	}
	Fields(&port)
	if strings.Contains(port.String(), "\x1b") {
		t.Errorf("a port: %q", port)
	}
	empty := struct{ S []string }{}
	Fields(&empty)
	Fields((*inner)(nil))
}

// sameBut reports whether two texts are equal but for what pointers look like.
func sameBut(a, b string) bool {
	cut := func(s string) string {
		before, after, _ := strings.Cut(s, "At:0x")
		_, after, _ = strings.Cut(after, " ")
		return before + after
	}
	return cut(a) == cut(b)
}
