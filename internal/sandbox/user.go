package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"strconv"

	libcap "kernel.org/pub/linux/libs/security/libcap/cap"
)

// User is a user and the only group it has.
type User struct{ UID, GID int }

// nobody is the user for what belongs to nobody (the kernel's overflowuid).
const nobody = 65534

// Target is the user that the process becomes in Enter: who called sudo, else
// nobody, where it is root; the one that it is, where it is not, or where its
// user namespace does not have the other one, or it has not the capabilities.
func Target() User {
	own := User{os.Geteuid(), os.Getegid()}
	if own.UID != 0 || !able(libcap.SETUID, libcap.SETGID, libcap.CHOWN) {
		return own
	}
	user, ok := Caller()
	if !ok || user.UID == 0 {
		user = User{nobody, nobody}
	}
	if !mapped("/proc/self/uid_map", user.UID) || !mapped("/proc/self/gid_map", user.GID) {
		return own
	}
	return user
}

// able reports whether the calling thread has these capabilities.
func able(needed ...libcap.Value) bool {
	set := libcap.GetProc()
	for _, value := range needed {
		if has, err := set.GetFlag(libcap.Effective, value); err != nil || !has {
			return false
		}
	}
	return true
}

// Caller is the user who called sudo to make this process root.
func Caller() (User, bool) {
	uid, err1 := strconv.Atoi(os.Getenv("SUDO_UID"))
	gid, err2 := strconv.Atoi(os.Getenv("SUDO_GID"))
	ok := os.Geteuid() == 0 && err1 == nil && err2 == nil && uid >= 0 && gid >= 0
	return User{uid, gid}, ok
}

// Owner is the user whom files belong to that the process makes for somebody: who
// called sudo, where the process is root and can become that user, else its own.
func Owner() User {
	if user, ok := Caller(); ok && Target() == user {
		return user
	}
	return User{os.Geteuid(), os.Getegid()}
}

// HasUser reports whether the process's user namespace has a user.
func HasUser(uid int) bool { return mapped("/proc/self/uid_map", uid) }

// IsRoot reports whether a user is the system's root, not one that only a user
// namespace calls so.
func IsRoot(uid int) bool {
	outside, ok := outside("/proc/self/uid_map", uid)
	return ok && outside == 0
}

// mapped reports whether a user namespace has an id, by its map.
func mapped(file string, id int) bool {
	_, ok := outside(file, id)
	return ok
}

// outside is what an id of a user namespace is outside of it, by its map
// (user_namespaces(7)): lines of a first id inside, one outside, and a count.
func outside(file string, id int) (int, bool) {
	f, err := os.Open(file)
	if err != nil {
		return id, true // a kernel without user namespaces
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, count int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err == nil && id >= inside && id-inside < count {
			return outside + id - inside, true
		}
	}
	return 0, false
}
