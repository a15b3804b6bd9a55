// Package printable makes text harmless to a terminal: what comes from another
// process, from a packet or from the environment may have escape sequences that
// change what a reader sees, or what the terminal does.
//
// A character is left alone if it is a graphic one or a space (unicode.IsPrint). All
// others are written as JSON writes them, "\u001b": C0 and C1 controls, DEL, the
// overrides of writing direction (Unicode Technical Report 36, section 2), characters
// without width, line and paragraph separators. A byte that is no UTF-8 becomes
// "\xff". JSON stays the same JSON.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is text with everything escaped that is not printable, tabs and ends of
// lines as well.
func Line(text string) string { return escape(text, "") }

// Text is text with everything escaped that is not printable, except tabs and the
// ends of lines.
func Text(text string) string { return escape(text, "\t\n") }

func escape(text, except string) string {
	if clean(text, except) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 || !allowed(r, except) {
			writeEscaped(&b, r, text[:size])
		} else {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// clean reports whether there is nothing to escape.
func clean(text, except string) bool {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c >= utf8.RuneSelf {
			return !strings.ContainsFunc(text[i:], func(r rune) bool { return r == utf8.RuneError || !allowed(r, except) })
		} else if !allowed(rune(c), except) {
			return false
		}
	}
	return true
}

func allowed(r rune, except string) bool {
	return unicode.IsPrint(r) || strings.ContainsRune(except, r)
}

// writeEscaped writes the escape of a character, or of the one byte of raw that is
// none.
func writeEscaped(b *strings.Builder, r rune, raw string) {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		fmt.Fprintf(b, `\x%02x`, raw[0])
	case r > 0xffff: // as a surrogate pair (RFC 8259, section 7)
		r -= 0x10000
		fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}
