// Package version says which version of tcplab this program is: a tag, or a
// commit, and whether the tree that it was built from had changes.
//
// In the order in which they are looked for:
//
//   - what a packager has set: go build -ldflags "-X tcplab/internal/version.stamped=v1.2.3"
//   - the version of the module, of go install …@v1.2.3, or what go build makes
//     of the checkout: v1.2.3, v1.2.4-0.20261124234224-30a13ccf22c7+dirty
//   - the commit of the checkout
//   - what git archive has written into archive.txt (export-subst of
//     gitattributes(5)), for a build from an archive
//   - Unknown
package version

import (
	_ "embed"
	"runtime/debug"
	"strings"
	"sync"
)

// Unknown is the version of a program that does not know it: it was built
// without what go build knows of the checkout.
const Unknown = "unknown"

// stamped is set by the linker.
var stamped string

//go:embed archive.txt
var archive string

// String is the version of this program.
var String = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return of(info, stamped, archive)
})

// of is the version of a program with this build information, nil if it has
// none.
func of(info *debug.BuildInfo, stamped, archive string) string {
	if stamped != "" {
		return stamped
	}
	if info != nil {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			return v
		}
		if commit := commitOf(info); commit != "" {
			return commit
		}
	}
	return archived(archive)
}

// commitOf is the commit that go build has found, with "+dirty" if the tree had
// changes.
func commitOf(info *debug.BuildInfo) string {
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	commit := short(settings["vcs.revision"])
	if commit != "" && settings["vcs.modified"] == "true" {
		commit += "+dirty"
	}
	return commit
}

// archived is the version in archive.txt: a line with the tag, as git describe
// has it, and one with the commit.
func archived(text string) string {
	tag, commit, _ := strings.Cut(text, "\n")
	tag, commit = strings.TrimSpace(tag), strings.TrimSpace(commit)
	switch {
	case strings.HasPrefix(tag, "$") || strings.HasPrefix(commit, "$"): // no archive
		return Unknown
	case tag != "" && !strings.HasPrefix(tag, "%"): // a git that knows no describe leaves it
		return tag
	case commit != "":
		return short(commit)
	}
	return Unknown
}

// short is as much of a commit as go build's versions have.
func short(commit string) string { return commit[:min(12, len(commit))] }
