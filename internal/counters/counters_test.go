package counters_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tcplab/internal/counters"
	"tcplab/listener/handshake"
	"tcplab/stack"
)

// Everything that the code counts shows in some counter.
func TestNothingIsLeftOut(t *testing.T) {
	moves := func(s counters.Source) bool {
		for _, value := range counters.Read(&s) {
			if value != 0 {
				return true
			}
		}
		return false
	}
	for which := range handshake.NumCounters {
		if which == handshake.OutRsts {
			continue // among the link's, which count them all
		}
		var s counters.Source
		s.Listeners[which] = 1
		if !moves(s) {
			t.Errorf("%v of the listeners shows nowhere", which)
		}
	}
	for which := range stack.NumCounters {
		if which == stack.AdoptionsFailed {
			continue // told to the listener, which counts it
		}
		var s counters.Source
		s.Link[which] = 1
		if !moves(s) {
			t.Errorf("%v of the link shows nowhere", which)
		}
	}
}

func TestNames(t *testing.T) {
	name := regexp.MustCompile(`^(Ip|Ip6|Tcp|TcpExt|TcpLab)[A-Z][A-Za-z]+$`)
	metric := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	seen := make(map[string]bool)
	for _, c := range counters.All {
		if !name.MatchString(c.Name) || !metric.MatchString(c.Metric) || !strings.HasSuffix(c.Help, ".") || seen[c.Name] || seen[c.Metric] {
			t.Errorf("%s, %s, %q: a name is wrong, or comes twice", c.Name, c.Metric, c.Help)
		}
		seen[c.Name], seen[c.Metric] = true, true
	}
}

// What has a kernel's name is a counter of this kernel's, if it is as new as
// the one that the profile linux was compared with.
func TestKernelsNames(t *testing.T) {
	var names []string
	for _, file := range []string{"snmp", "netstat"} {
		text, err := os.ReadFile("/proc/net/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			protocol, rest, _ := strings.Cut(line, ":")
			for _, name := range strings.Fields(rest) {
				names = append(names, protocol+name)
			}
		}
	}
	text, _ := os.ReadFile("/proc/net/snmp6") // no IPv6, perhaps
	for line := range strings.Lines(string(text)) {
		names = append(names, strings.Fields(line)[0])
	}
	if !slices.Contains(names, "TcpExtTCPACKSkippedSynRecv") { // Linux 4.1
		t.Fatalf("this kernel's counters are not what they were: %v", names)
	}
	for _, c := range counters.All {
		if known := slices.Contains(names, c.Name); known == c.Ours() && !strings.HasPrefix(c.Name, "Ip6") {
			t.Errorf("%s: known to the kernel %v, ours %v", c.Name, known, c.Ours())
		}
	}
}

// The page has a section for each counter, in the same order, which begins with
// its help and says which queue, what the kernel does, and what to do; and no
// other section.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/counters.md")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	sections := make(map[string]string)
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		name, body, _ := strings.Cut(section, "\n")
		body, _, _ = strings.Cut(body, "\n## ")
		order, sections[name] = append(order, name), body
	}
	var want []string
	for _, c := range counters.All {
		want = append(want, c.Name)
		body, ok := sections[c.Name]
		if !ok {
			t.Errorf("docs/counters.md has no section %s", c.Name)
			continue
		}
		words := strings.Join(strings.Fields(body), " ")
		if !strings.HasPrefix(words, c.Help) {
			t.Errorf("the section %s begins with %.80q, want %q", c.Name, words, c.Help)
		}
		for _, part := range []string{"- Queue: ", "- Event: ", "- Kernel: ", "- In production: "} {
			if strings.Count(body, part) != 1 {
				t.Errorf("the section %s has no %q", c.Name, part)
			}
		}
		if !strings.Contains(string(text), "`"+c.MetricName()+"`") {
			t.Errorf("the page does not name the metric %s", c.MetricName())
		}
	}
	if !slices.Equal(order, want) {
		t.Errorf("sections %v, want %v", order, want)
	}
}
