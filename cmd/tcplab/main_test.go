package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tcplab/internal/sandbox"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tcplab": watched, "deny": deny, "impostor": impostor})
}

// crashes names the directory where instances of a script say how they crashed.
const crashes = "TCPLAB_TEST_CRASHES"

// watched is the program as the scripts run it: a system call that the sandbox
// does not list ends an instance and leaves the stack of who made the call, so
// that every script finds what is missing in the list.
func watched() {
	sandbox.Unlisted = "trap"
	if dir := os.Getenv(crashes); dir != "" && slices.Contains(os.Args, "up") {
		// A script that leaves no descriptor for it sees the instance end.
		if file, err := os.CreateTemp(dir, "crash-*"); err == nil {
			_ = debug.SetCrashOutput(file, debug.CrashOptions{})
			_ = file.Close() // the runtime has its own
		}
	}
	main()
}

// unlisted says which instances of a script made a system call that the sandbox
// does not list, and how they came to it.
func unlisted(dir string) string {
	files, _ := filepath.Glob(dir + "/crash-*")
	var stacks []string
	for _, file := range files {
		crash, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(crash), "SIGSYS") {
			continue
		}
		stack, _, _ := strings.Cut(string(crash), "created by") // without the other goroutines
		stacks = append(stacks, stack[:min(len(stack), 4000)])
	}
	return strings.Join(stacks, "\n")
}
