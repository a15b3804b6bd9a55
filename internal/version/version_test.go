package version

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	const commit, other = "30a13ccf22c7ddee09b286b9b010a5a0a87fe010", "0123456789abcdef0123456789abcdef01234567"
	unexpanded := archive
	vcs := func(version, revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "tcplab", Version: version}, Settings: []debug.BuildSetting{
			{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified},
		}}
	}
	module := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: "tcplab", Version: version}}
	}
	for name, c := range map[string]struct {
		info             *debug.BuildInfo
		stamped, archive string
		want             string
	}{
		"go install of a tag":              {module("v1.2.3"), "", unexpanded, "v1.2.3"},
		"a checkout at a tag":              {vcs("v1.2.3", commit, "false"), "", unexpanded, "v1.2.3"},
		"a checkout at a tag with changes": {vcs("v1.2.3+dirty", commit, "true"), "", unexpanded, "v1.2.3+dirty"},
		"a checkout without tags":          {vcs("v0.0.0-20261124234224-30a13ccf22c7", commit, "false"), "", unexpanded, "v0.0.0-20261124234224-30a13ccf22c7"},
		"a go without module versions":     {vcs("(devel)", commit, "false"), "", unexpanded, "30a13ccf22c7"},
		"the same with changes":            {vcs("(devel)", commit, "true"), "", unexpanded, "30a13ccf22c7+dirty"},
		"-buildvcs=false":                  {module("(devel)"), "", unexpanded, Unknown},
		"a test":                           {module(""), "", unexpanded, Unknown},
		"no build information":             {nil, "", unexpanded, Unknown},
		"an archive of a tag":              {module("(devel)"), "", "v1.2.3\n" + other + "\n", "v1.2.3"},
		"an archive after a tag":           {module("(devel)"), "", "v1.2.3-4-g0123456789ab\n" + other + "\n", "v1.2.3-4-g0123456789ab"},
		"an archive without tags":          {nil, "", "\n" + other + "\n", "0123456789ab"},
		"an archive of an old git":         {nil, "", "%(describe:tags=true,abbrev=12)\n" + other + "\n", "0123456789ab"},
		"an archive inside a checkout":     {vcs("v1.2.3", commit, "false"), "", "v1.0.0\n" + other + "\n", "v1.2.3"},
		"an empty archive.txt":             {nil, "", "", Unknown},
		"a packager's":                     {vcs("v1.2.3", commit, "true"), "v1.2.3-1debian", unexpanded, "v1.2.3-1debian"},
	} {
		if got := of(c.info, c.stamped, c.archive); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// scratch is a repository with a program that prints its version, and nothing
// else of tcplab.
type scratch struct {
	*testing.T
	dir string
}

func newScratch(t *testing.T) *scratch {
	s := &scratch{t, t.TempDir()}
	root := filepath.Join("..", "..")
	for from, to := range map[string]string{
		"version.go": "internal/version/version.go", "archive.txt": "internal/version/archive.txt", filepath.Join(root, ".gitattributes"): ".gitattributes",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		s.write(to, string(data))
	}
	s.write("go.mod", "module tcplab\n\ngo 1.26\n")
	s.write("main.go", "package main\n\nimport (\n\t\"fmt\"\n\t\"tcplab/internal/version\"\n)\n\nfunc main() { fmt.Print(version.String()) }\n")
	return s
}

func (s *scratch) write(name, text string) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

// run runs a program in the scratch, with no settings of the
// user's, and returns its output.
func (s *scratch) run(name string, args ...string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(s.dir), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	var said, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaint
	if err := cmd.Run(); err != nil {
		s.Fatalf("%s %v: %v\n%s", name, args, err, complaint.String())
	}
	return strings.TrimSpace(said.String())
}

// version builds the program and asks it.
func (s *scratch) version(flags ...string) string {
	s.Helper()
	program := filepath.Join(s.TempDir(), "program")
	s.run("go", append(append([]string{"build", "-o", program}, flags...), ".")...)
	return s.run(program)
}

func (s *scratch) want(what, got, pattern string) {
	s.Helper()
	if !regexp.MustCompile("^(" + pattern + ")$").MatchString(got) {
		s.Errorf("%s: the version is %q, want %s", what, got, pattern)
	}
}

// What go build and git archive make of a repository, without a tag, at one,
// after one, with changes, and without git.
func TestBuilds(t *testing.T) {
	s := newScratch(t)
	s.want("no repository", s.version(), Unknown)
	s.run("git", "init", "-q", "-b", "main")
	s.run("git", "add", ".")
	s.run("git", "commit", "-q", "-m", "one")
	commit := s.run("git", "rev-parse", "HEAD")[:12]
	s.want("no tag", s.version(), `v0\.0\.0-[0-9]{14}-`+commit)
	s.want("-buildvcs=false", s.version("-buildvcs=false"), Unknown)
	s.want("a packager", s.version("-buildvcs=false", "-ldflags=-X tcplab/internal/version.stamped=v9"), "v9")
	s.run("git", "tag", "v0.5.0")
	s.want("a tag", s.version(), `v0\.5\.0`)
	s.write("main_linux.go", "package main\n")
	s.want("a tag with changes", s.version(), `v0\.5\.0\+dirty`)
	s.run("git", "add", ".")
	s.run("git", "commit", "-q", "-m", "two")
	second := s.run("git", "rev-parse", "HEAD")[:12]
	s.want("after a tag", s.version(), `v0\.5\.1-0\.[0-9]{14}-`+second)

	for name, want := range map[string]string{"v0.5.0": `v0\.5\.0`, "HEAD": `v0\.5\.0-1-g` + second} {
		dir := s.TempDir()
		archive := filepath.Join(dir, "a.tar")
		s.run("git", "archive", "-o", archive, name)
		unpacked := newUnpacked(s, archive)
		unpacked.want("an archive of "+name, unpacked.version(), want)
	}
}

// newUnpacked is what is in an archive, outside any repository.
func newUnpacked(s *scratch, archive string) *scratch {
	u := &scratch{s.T, s.TempDir()}
	u.run("tar", "-xf", archive)
	return u
}
