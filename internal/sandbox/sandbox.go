package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// Enter confines the process, for good. After an error it may be confined in
// part, and should end.
func Enter() error {
	if err := errors.Join(become(Target()), noCapabilities(), noNewPrivileges()); err != nil {
		return fmt.Errorf("giving up privileges: %w: --sandbox=false keeps them", err)
	}
	return nil
}

// become changes the user and the groups of all threads. Capabilities are still
// there afterwards.
func become(user User) error {
	if user.UID == os.Geteuid() {
		return nil
	}
	if err := cap.SetGroups(user.GID); err != nil { // drops the supplementary ones
		return fmt.Errorf("becoming group %d: %w", user.GID, err)
	}
	if err := cap.SetUID(user.UID); err != nil {
		return fmt.Errorf("becoming user %d: %w", user.UID, err)
	}
	return nil
}

// noCapabilities clears every set of all threads. The bounding set and
// securebits can only be changed with CAP_SETPCAP; without it they do not matter
// under no_new_privs.
func noCapabilities() error {
	err := cap.ModeNoPriv.Set()
	if errors.Is(err, unix.EPERM) {
		err = cap.NewSet().SetProc()
	}
	if err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// noNewPrivileges keeps programs from giving privileges by setuid bits or file
// capabilities (PR_SET_NO_NEW_PRIVS).
func noNewPrivileges() error {
	if _, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	return nil
}
