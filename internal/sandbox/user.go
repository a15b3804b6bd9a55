package sandbox

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"syscall"

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

// Give makes a file that root has opened one of the Caller, whose it would be
// without sudo. A device, a FIFO, and a file of
// others or with several names stay as they are.
func Give(file *os.File) error {
	user, ok := Caller()
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || st.Uid != 0 || st.Nlink != 1 {
		return nil
	}
	return file.Chown(user.UID, user.GID)
}

// mapped reports whether a user namespace has an id, by its map
// (user_namespaces(7)): lines of a first id inside, one outside, and a count.
func mapped(file string, id int) bool {
	f, err := os.Open(file)
	if err != nil {
		return true // a kernel without user namespaces
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, count int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err == nil && id >= inside && id-inside < count {
			return true
		}
	}
	return false
}
