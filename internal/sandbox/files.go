package sandbox

import (
	"errors"
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

// Rights of landlock(7) to what the process may open. None has it execute a file,
// make anything but a regular file, or control a device.
const (
	readFile = ll.AccessFSReadFile
	readDir  = readFile | ll.AccessFSReadDir
	useFile  = readFile | ll.AccessFSWriteFile | ll.AccessFSTruncate
	useDir   = readDir | useFile | ll.AccessFSMakeReg | ll.AccessFSRemoveFile
)

// confineFiles leaves the process the files that are open, what is readable, and
// the directories of writable. Where landlock can, the process does not connect
// or listen either, nor send signals to other processes. held says what landlock
// can hold here.
func confineFiles(writable []string) (held landlockABI, err error) {
	held = detectLandlock()
	if held.version == 0 {
		return held, nil
	}
	rules := []landlock.Rule{
		landlock.PathAccess(readDir, readableDirs...).IgnoreIfMissing(),
		landlock.PathAccess(readFile, readableFiles...).IgnoreIfMissing(),
		landlock.PathAccess(useFile, os.DevNull), // for a process in the background
	}
	if len(writable) > 0 {
		rules = append(rules, landlock.PathAccess(useDir, writable...))
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return held, fmt.Errorf("landlock: %w", err)
	}
	return held, nil
}

// scopeFixed is the erratum of landlock without whose correction a process with
// several threads cannot be kept from sending signals (Linux 6.15, and its
// predecessors' later versions): the library leaves that rule out then.
const scopeFixed = 1 << 1

// detectLandlock asks the kernel for its landlock.
func detectLandlock() landlockABI {
	version, err := ll.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return landlockABI{err: errors.Join(err)}
	}
	if version >= abiScope {
		if errata, err := ll.LandlockGetErrata(); err != nil || errata&scopeFixed == 0 {
			version = abiScope - 1
		}
	}
	return landlockABI{version: version}
}
