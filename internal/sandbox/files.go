package sandbox

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// readable is what the process reads later on: its own state, for the metrics,
// and the time zone.
var (
	readableDirs  = []string{"/proc/self", "/usr/share/zoneinfo"}
	readableFiles = []string{"/etc/localtime"}
)

// confineFiles leaves the process the files that are open, what is readable, and
// the directories of writable, and lets it neither connect nor listen over TCP,
// nor send signals to other processes: all that the kernel's landlock(7) can
// hold. note says what it cannot.
func confineFiles(writable []string) (note string, err error) {
	if !hasLandlock() {
		return "this kernel has no landlock: the process can read what its user may", nil
	}
	rules := []landlock.Rule{
		landlock.RODirs(readableDirs...).IgnoreIfMissing(),
		landlock.ROFiles(readableFiles...).IgnoreIfMissing(),
		landlock.RWFiles(os.DevNull), // for a process in the background
	}
	if len(writable) > 0 {
		rules = append(rules, landlock.RWDirs(writable...))
	}
	if err := landlock.V6.BestEffort().Restrict(rules...); err != nil {
		return "", fmt.Errorf("landlock: %w", err)
	}
	return "", nil
}

func hasLandlock() bool {
	version, err := ll.LandlockGetABIVersion()
	return err == nil && version >= 1
}
