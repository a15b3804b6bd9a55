package outfile

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"tcplab/internal/sandbox"
)

// rights run do with the rights of a user, and tell it whose those are.
type rights func(do func(uid int) error) error

// asSelf runs do with the rights of the process.
func asSelf(do func(uid int) error) error { return do(os.Geteuid()) }

// asOwner runs do with the rights that sandbox.Owner has to files, and tells it who
// that is. do must not start goroutines.
func asOwner(do func(uid int) error) error {
	owner := sandbox.Owner()
	if owner.UID == os.Geteuid() {
		return do(owner.UID)
	}
	done := make(chan error)
	go func() {
		done <- sandbox.As(owner, func() error {
			return narrowed(owner, func() error { return do(owner.UID) })
		})
	}()
	return <-done
}

// narrowed runs do with the groups of owner and no effective capability. If the
// thread cannot be given back what it had, it ends with its goroutine.
func narrowed(owner sandbox.User, do func() error) error {
	runtime.LockOSThread()
	back, err := narrow(owner)
	if err == nil {
		err = do()
	}
	if backErr := back(); backErr != nil {
		return errors.Join(err, backErr)
	}
	runtime.UnlockOSThread()
	return err
}

// narrow gives the calling thread, which is locked, the groups of owner and takes
// its effective capabilities. back undoes it.
func narrow(owner sandbox.User) (back func() error, err error) {
	wrong := func(err error) error {
		return fmt.Errorf("taking the rights of user %d to files: %w", owner.UID, err)
	}
	nothing := func() error { return nil }
	caps, err := effective()
	if err != nil {
		return nothing, wrong(err)
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return nothing, wrong(err)
	}
	back = func() error {
		err := caps.set(caps.data)
		if err == nil {
			err = unix.Setgroups(groups)
		}
		if err != nil {
			return fmt.Errorf("giving the rights of user %d to files back: %w", owner.UID, err)
		}
		return nil
	}
	err = unix.Setgroups(groupsOf(owner))
	if err == nil {
		none := caps.data
		none[0].Effective, none[1].Effective = 0, 0
		err = caps.set(none)
	}
	if err != nil {
		return back, wrong(err)
	}
	return back, nil
}

// threadCaps are the capabilities of a thread (capget(2)).
type threadCaps struct {
	header unix.CapUserHeader
	data   [2]unix.CapUserData
}

// effective reads the capabilities of the calling thread.
func effective() (*threadCaps, error) {
	c := &threadCaps{header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}
	return c, unix.Capget(&c.header, &c.data[0])
}

func (c *threadCaps) set(data [2]unix.CapUserData) error { return unix.Capset(&c.header, &data[0]) }

// groupsOf are the groups of a user by the system's database; the one that sudo
// named, if the user is not in it.
func groupsOf(owner sandbox.User) []int {
	groupsMu.Lock()
	defer groupsMu.Unlock()
	if known, ok := groupsKnown[owner]; ok {
		return known
	}
	groups := []int{owner.GID}
	if entry, err := user.LookupId(strconv.Itoa(owner.UID)); err == nil {
		ids, _ := entry.GroupIds()
		for _, id := range ids {
			if gid, err := strconv.Atoi(id); err == nil {
				groups = append(groups, gid)
			}
		}
	}
	groupsKnown[owner] = groups
	return groups
}

var (
	groupsMu    sync.Mutex // guards groupsKnown
	groupsKnown = make(map[sandbox.User][]int)
)
