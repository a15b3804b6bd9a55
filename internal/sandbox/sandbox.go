package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	libcap "kernel.org/pub/linux/libs/security/libcap/cap"
)

// Enter confines the process, for good. It can make, rename and remove files in
// the directories of writable, as far as its user may. notes say, right by right,
// what the kernel cannot hold. After an error it may be confined in part, and
// should end.
func Enter(writable ...string) (notes []string, err error) {
	notes, err = enter(writable)
	if err != nil {
		return nil, fmt.Errorf("giving up privileges: %w: --sandbox=false keeps them", err)
	}
	return notes, nil
}

func enter(writable []string) (notes []string, err error) {
	user := Target()
	if err := noNewPrivileges(); err != nil { // landlock and seccomp need it
		return nil, err
	}
	held, err := confineFiles(writable) // root finds the directories
	if err != nil {
		return nil, err
	}
	if err := become(user); err != nil {
		return nil, err
	}
	if err := noCapabilities(); err != nil {
		return nil, err
	}
	noFilter, err := confineCalls()
	if err != nil {
		return nil, err
	}
	return missing(held, noFilter), nil
}

// become changes the user and the groups of all threads. Capabilities are still
// there afterwards.
func become(user User) error {
	if user.UID == os.Geteuid() {
		return nil
	}
	if err := libcap.SetGroups(user.GID); err != nil { // drops the supplementary ones
		return fmt.Errorf("becoming group %d: %w", user.GID, err)
	}
	if err := libcap.SetUID(user.UID); err != nil {
		return fmt.Errorf("becoming user %d: %w", user.UID, err)
	}
	return nil
}

// noCapabilities clears every set of all threads. The bounding set and
// securebits can only be changed with CAP_SETPCAP; without it they do not matter
// under no_new_privs.
func noCapabilities() error {
	err := libcap.ModeNoPriv.Set()
	if errors.Is(err, unix.EPERM) {
		err = libcap.NewSet().SetProc()
	}
	if err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// noNewPrivileges keeps programs from giving privileges by setuid bits or file
// capabilities (PR_SET_NO_NEW_PRIVS).
func noNewPrivileges() error {
	if _, err := libcap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}
