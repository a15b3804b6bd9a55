package watch

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"tcplab/listener/backlog/profiles"
)

var rewrite = flag.Bool("rewrite", false, "write the frames as they are into testdata")

// frames are what is drawn, each in a file of testdata of its name.
var frames = map[string]func() *Model{
	"bsd-80x24":   func() *Model { return full13().model(80, 24) },
	"bsd-120x40":  func() *Model { return full13().model(120, 40) },
	"bsd-60x20":   func() *Model { return full13().model(60, 20) },
	"bsd-44x12":   func() *Model { return full13().model(44, 12) },
	"tiny-20x5":   func() *Model { return full13().model(20, 5) },
	"tiny-300x11": func() *Model { return full13().model(300, 11) },
	"linux-80x24": func() *Model {
		return (&scene{profile: profiles.Linux, settings: withBacklog(8), accept: "5/s", incomplete: 3, completed: 9}).model(80, 24)
	},
	"linux-50x24": func() *Model {
		return (&scene{profile: profiles.Linux, settings: withBacklog(8), accept: "auto", incomplete: 3, completed: 9}).model(50, 24)
	},
	"linux-4096-80x24": func() *Model {
		return (&scene{profile: profiles.Linux, settings: withBacklog(4096), accept: "auto", incomplete: 1, completed: 4096, hosts: 3}).model(80, 24)
	},
	"linux-2.4-80x24": func() *Model {
		return (&scene{profile: profiles.Linux24, settings: withBacklog(5), accept: "auto", incomplete: 2, completed: 5}).model(80, 24)
	},
	"freebsd-4-80x24": func() *Model {
		return (&scene{profile: profiles.FreeBSD4, settings: withBacklog(2), accept: "auto", incomplete: 5, completed: 1}).model(80, 24)
	},
	"illumos-80x24": func() *Model {
		return (&scene{profile: profiles.Illumos, settings: withBacklog(2), accept: "auto", incomplete: 5, completed: 2, parked: true}).model(80, 24)
	},
	"sum-0-80x24": func() *Model {
		return (&scene{profile: profiles.Sum, settings: withBacklog(0), accept: "auto"}).model(80, 24)
	},
	"over-80x24": func() *Model {
		return (&scene{profile: profiles.BSD, settings: withBacklog(2), accept: "auto", incomplete: 3, completed: 9}).model(80, 24)
	},
	"ports-80x24": func() *Model {
		s := full13()
		s.ports = []uint16{80, 8080}
		m := s.model(80, 24)
		m.Key("tab", noon)
		return m
	},
	"help-80x24":   func() *Model { return pressed(full13().model(80, 24), "?") },
	"help-50x14":   func() *Model { return pressed(full13().model(50, 14), "?") },
	"menu-80x24":   func() *Model { return pressed(full13().model(80, 24), "p", "down", "down") },
	"menu-44x12":   func() *Model { return pressed(full13().model(44, 12), "p", "end") },
	"typing-80x24": func() *Model { return pressed(full13().model(80, 24), "1", "2", "8") },
	"once-80x24": func() *Model {
		m := full13().model(80, 24)
		m.still = true
		return m
	},
	"gone-80x24": func() *Model {
		m := full13().model(80, 24)
		m.Gone(errors.New("no tcplab is running"), noon.Add(48*time.Second))
		return m
	},
	"lost-80x24": func() *Model {
		m := full13().model(80, 24)
		m.Missed(12345)
		return m
	},
}

// pressed is m after keys.
func pressed(m *Model, keys ...string) *Model {
	for _, key := range keys {
		m.Key(key, noon.Add(time.Minute))
	}
	return m
}

// The frames are what testdata says, as text; -rewrite accepts what they are.
func TestFrames(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	defer func() { time.Local = local }()
	for name, draw := range frames {
		m := draw()
		got := ansi.Strip(m.View(noon.Add(time.Minute))) + "\n"
		lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
		if len(lines) > m.height {
			t.Errorf("%s has %d lines", name, len(lines))
		}
		for i := range lines {
			if width := lipgloss.Width(lines[i]); width > m.width {
				t.Errorf("%s: line %d is %d wide: %s", name, i+1, width, lines[i])
			}
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		got = strings.Join(lines, "\n") + "\n"
		file := filepath.Join("testdata", name+".txt")
		if *rewrite {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is, and -rewrite accepts it:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Whatever the size, no line is too wide and none is too many.
func TestEverySizeFits(t *testing.T) {
	for name, draw := range frames {
		m := draw()
		for _, width := range []int{0, 1, 43, 44, 45, 75, 76, 80, 300} {
			for _, height := range []int{0, 1, 11, 12, 13, 15, 19, 20, 21, 50} {
				m.Resize(width, height)
				lines := strings.Split(m.View(noon.Add(time.Minute)), "\n")
				if len(lines) > max(height, 1) {
					t.Fatalf("%s at %dx%d has %d lines", name, width, height, len(lines))
				}
				for _, line := range lines {
					if lipgloss.Width(line) > width {
						t.Fatalf("%s at %dx%d has a line %d wide: %s", name, width, height, lipgloss.Width(line), line)
					}
				}
			}
		}
	}
}

// What colours say is said by words and shapes, too: a full strip and a drop can
// be told from others without any.
func TestNothingRestsOnColour(t *testing.T) {
	s := full13()
	fullFrame := ansi.Strip(s.model(80, 24).View(noon))
	s.incomplete = 3
	if room := ansi.Strip(s.model(80, 24).View(noon)); strings.Contains(room, "full") || !strings.Contains(fullFrame, "13 of 13, full") {
		t.Errorf("full\n%s\nroom\n%s", fullFrame, room)
	}
	if !strings.Contains(fullFrame, "SYN ✗") {
		t.Errorf("no drops in\n%s", fullFrame)
	}
}

// An empty model says what it waits for.
func TestBeforeTheFirstStatus(t *testing.T) {
	m := pressed(NewModel("lab1", 80, 24), "+", "space", "a", "p", "tab", "1")
	if got := m.View(noon); got != "waiting for the instance on lab1" {
		t.Errorf("view %q", got)
	}
}
