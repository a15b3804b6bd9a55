package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestBuiltPrograms uses every feature of the program as "go build" makes it, with
// the C library and without: its threads and memory are not those of a program
// with the race detector. A system call that the sandbox does not list ends an
// instance (sandbox.Unlisted).
func TestBuiltPrograms(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces and TUN devices: run it as root, with scripts/test.sh")
	}
	for _, cgo := range []string{"0", "1"} {
		t.Run("CGO_ENABLED="+cgo, func(t *testing.T) {
			bin := t.TempDir()
			build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X tcplab/internal/sandbox.Unlisted=trap", "-o", bin, ".")
			build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			testscript.Run(t, testscript.Params{
				Files: []string{filepath.Join("testdata", "script", "netns", "calls.txtar")},
				Cmds:  commands,
				Setup: func(e *testscript.Env) error {
					e.Setenv("PATH", bin+":"+e.Getenv("PATH"))
					return inNamespaces(e)
				},
			})
		})
	}
}
