package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// As runs do with the rights that a user has to files: the calling thread takes
// the user's fsuid and fsgid, and thereby loses root's capabilities over files
// (credentials(7)). What do makes belongs to the user, and do reaches nothing that
// the user could not. Sockets that do lets listen still show the process's own user
// to their clients (SO_PEERCRED). do must not start goroutines.
//
// Where the user is the process's own, As changes nothing. Calls can be nested.
func As(user User, do func() error) error {
	if user.UID == os.Geteuid() {
		return do()
	}
	runtime.LockOSThread()
	before, err := fileUser(user)
	if err == nil {
		err = do()
	}
	if _, back := fileUser(before); back != nil {
		return errors.Join(err, back) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return err
}

// fileUser changes the fsuid and the fsgid of the calling thread, and returns what
// they were. The system calls return no error (setfsuid(2)).
func fileUser(u User) (before User, err error) {
	before.GID, _ = unix.SetfsgidRetGid(u.GID)
	before.UID, _ = unix.SetfsuidRetUid(u.UID)
	gid, _ := unix.SetfsgidRetGid(-1) // -1 changes nothing
	uid, _ := unix.SetfsuidRetUid(-1)
	if uid != u.UID || gid != u.GID {
		return before, fmt.Errorf("taking the rights of user %d to files: the kernel left fsuid at %d and fsgid at %d", u.UID, uid, gid)
	}
	return before, nil
}
