package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// oracle is content from offset on, written the slow way.
func oracle(offset, n int64) []byte {
	var b bytes.Buffer
	first := offset / 16
	for line := first; int64(b.Len()) < n+16; line++ {
		fmt.Fprintf(&b, "%015x\n", line*16)
	}
	return b.Bytes()[offset-first*16:][:n]
}

func TestContent(t *testing.T) {
	if err := iotest.TestReader(&content{size: 5000}, oracle(0, 5000)); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(&content{}, nil); err != nil {
		t.Fatal(err)
	}
}

// Wherever one reads, by whatever pieces, it is what the oracle writes; carries
// into the next digits are likely.
func TestContentAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		carry := int64(1) << rapid.IntRange(4, 40).Draw(t, "carry")
		offset := max(carry-rapid.Int64Range(-200, 200).Draw(t, "before"), 0)
		size := offset + rapid.Int64Range(0, 1000).Draw(t, "n")
		c := content{size: size}
		if _, err := c.Seek(offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for {
			p := make([]byte, rapid.IntRange(1, 100).Draw(t, "piece"))
			n, err := c.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || n == 0 {
				t.Fatalf("Read: %d, %v", n, err)
			}
		}
		if want := oracle(offset, size-offset); !bytes.Equal(got, want) {
			t.Fatalf("offset %d:\n%q\nwant\n%q", offset, got, want)
		}
	})
}

func TestContentSeeksNowhere(t *testing.T) {
	c := content{size: 10}
	if _, err := c.Seek(-1, io.SeekStart); err == nil {
		t.Fatal("sought before the start")
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1500": 1500, "1k": 1 << 10, "1K": 1 << 10, "3M": 3 << 20, "2g": 2 << 30,
		"0G": 0, "1024G": 1 << 40, "1099511627776": 1 << 40,
	} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{
		"", "k", "-1", "+1", "1.5k", "1kk", "1T", "x", "1 k", "0x10", "1_000",
		"1099511627777", "1025G", "18446744073709551615", "18446744073709551616", "18014398509481985k",
	} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("parseSize(%q) = %d", text, n)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("1k")
	f.Add("1099511627776")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseSize(text); err == nil && (n < 0 || n > maxBytes) {
			t.Fatalf("parseSize(%q) = %d", text, n)
		}
	})
}

func BenchmarkContent(b *testing.B) {
	p := make([]byte, 32<<10)
	c := content{size: maxBytes}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		_, _ = c.Read(p)
	}
}
